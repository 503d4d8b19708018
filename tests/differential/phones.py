#!/usr/bin/env python3
"""Holds `throng hash -t phone_hash` to PyPI phonenumbers, the Python port of libphonenumber, over made-up numbers.

    pip install phonenumbers==9.0.42
    phones.py THRONG [NUMBERS_PER_REGION]

For every region: example numbers of every kind with their last digits replaced, in national and international spelling.
What is expected is written down here from the rules: possible, with area code, 7 to 15 digits.
"""

import hashlib
import random
import subprocess
import sys

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ValidationResult


def canonical(number):
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return ""
    digits = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    return digits if 7 <= len(digits) <= 15 else ""


def spellings(region, count, generator):
    """Spelling and expected digits."""
    kinds = [kind for kind in PhoneNumberType.values() if phonenumbers.example_number_for_type(region, kind)]
    for _ in range(count):
        example = phonenumbers.example_number_for_type(region, generator.choice(kinds))
        digits = phonenumbers.national_significant_number(example)
        keep = max(1, len(digits) - 4)
        digits = digits[:keep] + "".join(generator.choice("0123456789") for _ in digits[keep:])
        try:
            number = phonenumbers.parse(digits, region)
        except phonenumbers.NumberParseException:
            continue
        for style in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164):
            text = phonenumbers.format_number(number, style)
            try:
                yield text, canonical(phonenumbers.parse(text, region))
            except phonenumbers.NumberParseException:
                yield text, ""


def main():
    binary, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100
    generator = random.Random(1)
    checked, differ = 0, []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        cases = list(spellings(region, count, generator))
        text = "".join(spelling + "\n" for spelling, _ in cases)
        run = subprocess.run(
            [binary, "hash", "-t", "phone_hash", "--country", region],
            input=text.encode(), capture_output=True, check=True,
        )
        for (spelling, digits), got in zip(cases, run.stdout.decode().splitlines(), strict=True):
            expected = hashlib.sha256(digits.encode()).hexdigest() if digits else ""
            checked += 1
            if got != expected:
                differ.append(f"{region} {spelling!r}: {'accepted' if got else 'rejected'}, expected {digits or 'a reject'}")
    print(f"{checked} spellings, {len(differ)} differ")
    print("\n".join(differ[:40]))
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
