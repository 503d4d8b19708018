-- Who was taken out is told once, whatever happens to the run that does it.

ALTER TABLE generation ADD COLUMN removed_opted_out INTEGER NOT NULL DEFAULT 0;
ALTER TABLE generation ADD COLUMN removed_gone INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN opted_out INTEGER NOT NULL DEFAULT 0;
