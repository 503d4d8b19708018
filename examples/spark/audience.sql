-- The people of a table as an audience: each once, nobody who opted out. Run by spark-sql; see README.md beside this file.
--
--     spark-sql --files /usr/local/bin/throng -d crm=crm.parquet -d opt_outs=opt_outs.parquet -d output=audience -f audience.sql
--
-- The filter answers each line with one line, an empty one for what is blank or rejected. A line break within a value
-- would make two lines of it, hence `translate`. If the filter fails, so does its task, and with it the job.

CREATE TEMPORARY VIEW crm USING parquet OPTIONS (path '${crm}');
CREATE TEMPORARY VIEW opt_outs USING parquet OPTIONS (path '${opt_outs}');

CREATE TEMPORARY VIEW members AS
SELECT TRANSFORM (translate(email, '\n\r\t', '   '))
USING './throng hash -t email_hash --threads 1' AS (digest STRING)
FROM crm;

CREATE TEMPORARY VIEW suppressed AS
SELECT TRANSFORM (translate(email, '\n\r\t', '   '))
USING './throng hash -t email_hash --threads 1' AS (digest STRING)
FROM opt_outs;

INSERT OVERWRITE DIRECTORY '${output}'
USING text OPTIONS (compression 'none', maxRecordsPerFile 1000000)
SELECT DISTINCT digest
FROM members LEFT ANTI JOIN suppressed USING (digest)
WHERE digest <> '';
