"""Writes src/normalize/country/names.txt: codes and folded names of the countries that have phone numbers.

    pip install babel==2.19.0 pycountry==26.2.16 phonenumbers==9.0.42
    country_names.py > src/normalize/country/names.txt

A line is a country: its two-letter, three-letter and numeric code, its English name, and behind it all names by which it
is found, separated by tabs. Names are those of Unicode CLDR in the languages below and in the languages of the country
itself, those of ISO 3166, and the few of ALIASES. A name that two countries have in different languages is neither's,
unless it is the English one or that of the country itself. Behind them stand the locales of the country that CLDR has,
as `de_AT`.
"""

import unicodedata

import phonenumbers
import pycountry
from babel import Locale, UnknownLocaleError
from babel.localedata import locale_identifiers
from babel.languages import get_official_languages

# Languages in which shops write the countries of their customers.
LANGUAGES = "en de fr es it pt nl pl cs sk hu ro bg el da sv nb fi et lv lt sl hr tr ru uk ca ja zh ko".split()

# What people write and neither CLDR nor ISO has.
ALIASES = {
    "AE": ["uae", "emirates"],
    "CD": ["dr congo", "drc", "democratic republic of congo"],
    "CG": ["republic of the congo", "republic of congo"],
    "CI": ["ivory coast"],
    "CN": ["prc", "mainland china"],
    "CV": ["cape verde"],
    "CZ": ["czech rep"],
    "DE": ["brd"],
    "GB": [
        *["great britain", "britain", "england", "scotland", "wales", "northern ireland", "united kingdom gb", "uk"],
        *["großbritannien", "grossbritannien", "grande bretagne", "gran bretana", "gran bretaña", "gran bretagna"],
        *["gra bretanha", "grã bretanha", "groot brittannie", "groot brittannië", "marea britanie", "nagy britannia"],
        *["velka britanie", "velká británie", "velka britania", "veľká británia", "velika britanija", "suurbritannia"],
        *["μεγάλη βρετανία", "велика британия", "велика британія", "великобританія", "buyuk britanya", "büyük britanya"],
        *["didzioji britanija", "didžioji britanija", "lielbritanija", "lielbritānija", "gran bretanya", "英國", "대영제국"],
    ],
    "HK": ["hongkong", "香港", "гонконг", "хонконг", "홍콩"],
    "IE": ["republic of ireland", "eire"],
    "KP": ["dprk"],
    "KR": ["korea republic of", "korea south", "republic of korea"],
    "MK": ["macedonia", "fyrom"],
    "MM": ["burma"],
    "MO": ["macao", "macau", "澳门", "澳門"],
    "NL": ["holland"],
    "RU": ["russia"],
    "SA": ["ksa"],
    "SZ": ["swaziland"],
    "TL": ["east timor"],
    "TR": ["turkey"],
    "US": ["america", "united states", "usa us", "us", "u s", "u s a", "estados unidos de america", "vereinigte staaten von amerika"],
    "VA": ["vatican", "holy see"],
    "VN": ["viet nam"],
    "XK": ["kosovo"],
}
CODES = {"XK": ("XKX", "-"), "AC": ("-", "-"), "TA": ("-", "-")}


DROPPED = set(".'`\u2018\u2019\u02bb") | {chr(code) for code in range(0x300, 0x370)}
GAPS = set("\u2010\u2011\u2013\u2014\uff0c\uff08\uff09\u30fb\u3001")
UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}
LETTERS = {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "ı": "i", "đ": "d"}


def fold(name):
    """As `fold` of country/names.rs: lower case, no marks, words with a space between, no article in front."""
    kept = []
    for c in unicodedata.normalize("NFC", name).lower():
        if c in DROPPED:
            continue
        is_gap = c in GAPS or c.isspace() or c.isascii() and not c.isalnum()
        kept.append(" " if is_gap else "σ" if c == "ς" else c)
    words = "".join(kept).split()
    if len(words) > 1 and words[0] == "the":
        words = words[1:]
    return " ".join(words)


def spellings(name):
    """A name with its marks, without them, and with the letters that Germans write for them."""
    name = unicodedata.normalize("NFC", name)
    found = {fold(name)}
    if all(ord(c) < 0x400 for c in name):
        marks = unicodedata.normalize("NFD", name)
        found.add(fold("".join(c for c in marks if not unicodedata.combining(c)).translate(str.maketrans(LETTERS))))
    if all(c.isascii() or c in UMLAUTS for c in name):
        found.add(fold(name.translate(str.maketrans(UMLAUTS))))
    # `Korea, Republic of` and `Republic of Korea`.
    if ", " in name:
        first, last = name.split(", ", 1)
        found |= {fold(f"{last} {first}")}
    return {key for key in found if len(key.encode()) > 2 and len(key.encode()) <= 80}


def locale(language):
    try:
        return Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return None


def locales_of(regions):
    """For each region the locales of CLDR that name it, without their scripts."""
    found = {region: set() for region in regions}
    for parts in (name.split("_") for name in locale_identifiers()):
        if parts[-1] in found:
            found[parts[-1]].add(f"{parts[0]}_{parts[-1]}")
    return found


def main():
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    own, other, english = {}, {}, {}
    locales = [locale(language) for language in LANGUAGES]
    of_cldr = locales_of(regions)
    for region in regions:
        iso = pycountry.countries.get(alpha_2=region)
        languages = [locale(language) for language in get_official_languages(region, regional=True, de_facto=True)]
        english[region] = Locale("en").territories.get(region, region)
        names = [where.territories.get(region) for where in languages if where] + [english[region]]
        variants = Locale("en").territories
        names += [variants.get(f"{region}_alt_{kind}") for kind in ("short", "variant", "long")]
        if iso:
            names += [iso.name, getattr(iso, "official_name", None), getattr(iso, "common_name", None)]
        keys = set().union(*(spellings(name) for name in names if name)) | set(ALIASES.get(region, []))
        own[region] = keys
        more = [where.territories.get(region) for where in locales if where]
        other[region] = set().union(*(spellings(name) for name in more if name)) - keys
    holders = {}
    for region in regions:
        for key in own[region]:
            holders.setdefault(key, set()).add(region)
    strangers = {}
    for region in regions:
        for key in other[region]:
            strangers.setdefault(key, set()).add(region)
    for region in regions:
        keys = {key for key in own[region] if len(holders[key]) == 1}
        keys |= {key for key in other[region] if key not in holders and len(strangers[key]) == 1}
        iso = pycountry.countries.get(alpha_2=region)
        alpha3, numeric = (iso.alpha_3, iso.numeric) if iso else CODES[region]
        print("\t".join([region, alpha3, numeric, english[region], *sorted(keys), *sorted(of_cldr[region])]))


if __name__ == "__main__":
    main()
