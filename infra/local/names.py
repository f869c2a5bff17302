"""Invented names of artists, albums and tracks; none of them belongs to anyone.

A name is computed from a number, so it never changes. No two artists share a name, and no two
tracks of one artist. Some have what real catalogues contain and importers fail on: umlauts,
Japanese, quotes, emoji, a title of more than 255 characters.
"""

TITLES_PER_ARTIST = 40

_STARTS = (
    *("Bal", "Brim", "Dro", "Eld", "Fen", "Grul", "Hal", "Ish", "Jor", "Kel"),
    *("Lum", "Mor", "Nev", "Ost", "Pel", "Quo", "Ras", "Sul", "Tam", "Vel"),
)
_ENDS = (
    *("adine", "bock", "corra", "dulle", "evan", "fisk", "gorra", "hild", "imba", "jun"),
    *("kova", "lente", "mund", "nosk", "omir", "pash", "quil", "rune", "sota", "tvik"),
)
_ADJECTIVES = (
    *("Borrowed", "Crooked", "Distant", "Electric", "Folded", "Gentle", "Hidden", "Idle"),
    *("Late", "Mended", "Narrow", "Paper", "Quiet", "Restless", "Salted", "Unwritten"),
)
_ENGLISH = (
    *("Anchors", "Bridges", "Candles", "Drawers", "Engines", "Ferries", "Gardens", "Harbours"),
    *("Islands", "Jackets", "Kettles", "Ladders", "Mirrors", "Needles", "Orchards", "Pianos"),
    *("Quarries", "Rivers", "Signals", "Teapots", "Umbrellas", "Valleys", "Windows", "Yards"),
    *("Zeppelins", "Acorns", "Buttons", "Corridors", "Dials", "Elevators", "Feathers", "Gravel"),
    *("Hammocks", "Inkwells", "Junctions", "Kiosks", "Lanterns", "Meadows", "Nettles", "Oars"),
)
_GERMAN = (
    *("Anker", "Brücken", "Kerzen", "Schubladen", "Motoren", "Fähren", "Gärten", "Häfen"),
    *("Inseln", "Jacken", "Kessel", "Leitern", "Spiegel", "Nadeln", "Äpfel", "Flügel"),
    *("Brüche", "Flüsse", "Zeichen", "Kännchen", "Schirme", "Täler", "Fenster", "Höfe"),
    *("Zeppeline", "Eicheln", "Knöpfe", "Flure", "Zähler", "Aufzüge", "Federn", "Kiesel"),
    *("Hängematten", "Tintenfässer", "Kreuzungen", "Büdchen", "Laternen", "Wiesen", "Nesseln"),
    "Ruder",
)
_JAPANESE = (
    *("錨", "橋", "蝋燭", "引き出し", "機関", "渡し船", "庭", "港", "島", "上着", "薬缶"),
    *("梯子", "鏡", "針", "果樹園", "ピアノ", "石切場", "川", "信号", "急須", "傘", "谷", "窓"),
    *("中庭", "飛行船", "団栗", "釦", "廊下", "文字盤", "昇降機", "羽", "砂利", "ハンモック"),
    *("墨壺", "分岐点", "売店", "灯籠", "草原", "刺草", "櫂"),
)

_ARTIST_FORMS = (
    "The {word} {english}",
    "{word} {english}",
    "{english} of {word}",
    "Saint {word}'s {english}",
    "{word} & Her {english}",
    "{word} und die {german}",
    "{word}の{japanese}",
    "DJ {word} ({english})",
)
_TITLE_FORMS = (
    *("{english}", "{adjective} {english}", "{english} for {word}", "My {adjective} {english}"),
    *("{adjective} {english} - {year} Remaster", "{english} (Live in {word})", "{japanese}の夜"),
    *("No More {english}", "{english}, Pt. 2", "{english} / {word}", "Für {german}", "{german}"),
    *(
        '"{english}" (She Said)',
        "Don't Count the {english}",
        "Café {word}: {english}",
        "{japanese}",
    ),
    *("{adjective} {english} 🌙✨", "{english} at Dawn", "{word}'s {english}", "ALL {english}"),
)
_ALBUM_FORMS = ("{adjective} {english}", "{english}", "{word} Sessions: {english}", "{japanese}")
_ARTISTS = len(_STARTS) * len(_ENDS) * len(_ENGLISH) * len(_ARTIST_FORMS)


def invented_word(number: int) -> str:
    """Return an invented proper name; there are 400, so numbers that differ by 400 share one."""
    start, end = divmod(number % (len(_STARTS) * len(_ENDS)), len(_ENDS))
    return _STARTS[start] + _ENDS[end]


def artist_name(number: int) -> str:
    """Return the name of the artist with a number; no other artist has it."""
    again, place = divmod(number, _ARTISTS)
    # The factor is coprime to the count, so neighbours differ and no name repeats.
    rest, form = divmod(place * 29_989 % _ARTISTS, len(_ARTIST_FORMS))
    word, noun = divmod(rest, len(_ENGLISH))
    name = _ARTIST_FORMS[form].format(word=invented_word(word), **_nouns(noun))
    return f"{name} {again + 1}" if again else name


def album_name(artist: int, album: int, noise: bytes) -> str:
    """Return the name of an artist's album; the bytes `noise` select its pattern and words."""
    return _ALBUM_FORMS[noise[0] % len(_ALBUM_FORMS)].format(
        adjective=_ADJECTIVES[noise[1] % len(_ADJECTIVES)],
        word=invented_word(noise[2]),
        **_nouns(artist * 11 + album),
    )


def track_title(artist: int, position: int, noise: bytes) -> str:
    """Return the title of an artist's track; an artist's first 40 titles all differ."""
    words = {
        "adjective": _ADJECTIVES[noise[1] % len(_ADJECTIVES)],
        "word": invented_word(noise[2] * 7),
        "year": str(1990 + noise[3] % 35),
        **_nouns(artist * 7 + position),
    }
    # One in 256 titles exceeds 255 characters, the limit in many schemas.
    if noise[4] == 0:
        line = "What the {adjective} {english} Told Us About the Sea That Year, "
        return (line * 5).format(**words) + "Part One"
    return _TITLE_FORMS[noise[0] % len(_TITLE_FORMS)].format(**words)


def _nouns(number: int) -> dict[str, str]:
    """Return the noun with a number (modulo 40) in English, German and Japanese."""
    place = number % TITLES_PER_ARTIST
    return {"english": _ENGLISH[place], "german": _GERMAN[place], "japanese": _JAPANESE[place]}


def episode_title(number: int) -> str:
    """Return the title of the podcast episode or audiobook with a number."""
    return f"Of {invented_word(number * 3)} and the {_ENGLISH[number % len(_ENGLISH)]}"


def show_name(number: int) -> str:
    """Return the name of the podcast with a number."""
    return f"The {invented_word(number * 13)} Hour"
