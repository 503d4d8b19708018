#!/usr/bin/env python3
"""Holds a prepared directory to what its lines ought to give, one line after the other.

    oracle.py TYPE LINES DIR

Written from the rules and shares no code with throng. It knows the shapes that `generate.rs` writes, not every
identifier there is. Standard library only; 10 million lines need about a minute and 1.5 GB.
"""

import hashlib
import json
import pathlib
import re
import sys

NULL_WORDS = {"null", "none", "nan", "n/a", "na", "undefined", "\\n", "nil", "-"}
ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
EMAIL = re.compile(rf"{ATOM}(?:\.{ATOM})*@(?:{LABEL}\.)+(?!\d+$){LABEL}", re.ASCII)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def email_hash(text):
    text = text.rstrip(".").lower() if text.isascii() else ""
    return text if EMAIL.fullmatch(text) else None


def phone_hash(text):
    text = re.sub(r" ext\. \d+$", "", text).replace("(0)", "")
    if not re.fullmatch(r"\+?[\d -]+", text, re.ASCII):
        return None
    digits = re.sub(r"\D", "", text)
    if not text.startswith("+") and digits.startswith("00"):
        digits = digits[2:]
    return digits if digits.startswith("4420") and len(digits) == 12 else None


def fbid(text):
    text = text.removesuffix(".0")
    return text if re.fullmatch(r"[1-9]\d{0,18}", text, re.ASCII) else None


def custom_audience_third_party_id(text):
    if len(text.encode()) > 255 or any(ord(c) < 32 for c in text) or EMAIL.fullmatch(text.lower()):
        return None
    return text.lower()


def mobile_advertiser_id(text):
    text = text.lower()
    return text if UUID.fullmatch(text) else None


def trimmed(line):
    return line.strip(" \t\r\n\u00a0")


def outcome(user_type, path):
    rule = globals()[user_type]
    counts = {"read": 0, "blank": 0, "rejected": 0, "accepted": 0}
    found = set()
    with open(path, "rb") as lines:
        for line in lines:
            counts["read"] += 1
            try:
                text = trimmed(line.decode())
            except UnicodeDecodeError:
                counts["rejected"] += 1
                continue
            if user_type != "custom_audience_third_party_id" and re.fullmatch(r'".*"', text):
                text = trimmed(text[1:-1])
            if not text:
                counts["blank"] += 1
                continue
            canonical = None if text.lower() in NULL_WORDS else rule(text)
            if canonical is None:
                counts["rejected"] += 1
                continue
            counts["accepted"] += 1
            found.add(canonical.encode())
    counts["written"] = len(found)
    counts["duplicates"] = counts["accepted"] - len(found)
    digest = (lambda value: hashlib.sha256(value).digest())
    if user_type in ("email_hash", "phone_hash"):
        entries = sorted(map(digest, found))
        return counts, (entry.hex().encode() + b"\n" for entry in entries)
    # Clear ids stand in the order of the first 64 bits of their digests.
    return counts, (v + b"\n" for v in sorted(found, key=lambda value: (digest(value)[:8], value)))


def main():
    user_type, path, directory = sys.argv[1:]
    directory = pathlib.Path(directory)
    audience = json.loads((directory / "manifest.json").read_text())["audiences"][0]
    counts, entries = outcome(user_type, path)
    got = {
        "read": audience["read"],
        "blank": audience["blank"],
        "rejected": audience["rejected"],
        "accepted": audience["raw"] + audience["prehashed"],
        "written": audience["written"],
        "duplicates": audience["duplicates"],
    }
    assert got == counts, f"throng says {got}, the oracle {counts}"
    for part in audience["parts"]:
        with open(directory / part["file"], "rb") as lines:
            for number, line in enumerate(lines, 1):
                assert line == next(entries, None), f"{part['file']}, line {number} differs"
    assert next(entries, None) is None, "entries are missing at the end"
    print(f"{user_type}: equal, {counts}")


if __name__ == "__main__":
    main()
