"""Files of lyrics that someone wrote in bad faith, or a disk in bad health."""

import random

HEAD = "#TITLE:T\n#ARTIST:A\n#MP3:a.ogg\n#BPM:300\n#GAP:0\n"
NOTES = "".join(f": {8 * beat} 4 {beat % 12} la\n" + ("- 0\n" if beat % 8 == 7 else "") for beat in range(64))
LRC = "".join(f"[00:{second:02}.00]line {second} <00:{second:02}.50>word\n" for second in range(59))


def hostile_lyrics() -> dict[str, bytes]:
    """Fifty files (name -> content), the same every time: half of each format."""
    rng = random.Random(50)
    song, lrc = (HEAD + NOTES + "E\n").encode(), LRC.encode()
    noise = rng.randbytes(20_000)
    bidi = "\u202e\u2066\u200f\u061c\u202b"
    numbers = ("nan", "inf", "-inf", "1e999", "-1", "0x10", "١٢", "9" * 5_000, "", "1,2,3", "0" * 100_000)
    files = {
        "empty.lrc": b"",
        "empty.txt": b"",
        "nulls.lrc": bytes(5_000),
        "noise.lrc": noise,
        "noise.txt": song + noise,
        "head of noise.txt": HEAD.encode() + noise,
        "null in song.txt": song.replace(b"la", b"l\0a"),
        "null in line.lrc": lrc.replace(b"line", b"li\0ne", 3),
        "utf-16.txt": song.decode().encode("utf-16"),
        "utf-16 without mark.lrc": LRC.encode("utf-16-le"),
        "half of utf-16.txt": song.decode().encode("utf-16")[:301],
        "utf-32.lrc": LRC.encode("utf-32"),
        "latin.txt": song.replace(b"la", b"l\xe4"),
        "declared wrongly.txt": b"#ENCODING:UTF8\n" + song.replace(b"la", b"l\xe4"),
        "declared strangely.txt": b"#ENCODING:../../zip\n" + song,
        "rot13.txt": b"#ENCODING:rot13\n" + song,
        "script.lrc": b"[ti:<script>alert(1)</script>]\n[00:01.00]<script>fetch('//x')</script>\n",
        "script.txt": song.replace(b"la", b'"><img src=x onerror=alert(1)>').replace(b"T\n", b"<svg/onload=x>\n", 1),
        "direction.lrc": f"[ti:{bidi}x]\n[00:01.00]{bidi}abc{bidi}\n".encode(),
        "direction.txt": song.replace(b"la", f"{bidi}la".encode()),
        "escape.lrc": b"[00:01.00]\x1b[2J\x1b]0;x\x07text that is long enough to be read as text, in spite of that\n",
        "marks.lrc": ("[00:01.00]a" + "\u0300\u0336" * 100_000).encode(),
        "one line.lrc": b"[00:01.00]" + b"a" * 1_000_000,
        "one line.txt": HEAD.encode() + b": 0 1 0 " + b"a" * 1_000_000,
        "too long.lrc": b"[00:01.00]a\n" * 200_000,
        "too long.txt": HEAD.encode() + b": 0 1 0 a\n" * 200_000,
        "many lines.lrc": b"[0:1]a\n" * 140_000,
        "many notes.txt": HEAD.encode() + b": 0 1 0 a\n" * 100_000,
        "many breaks.txt": HEAD.encode() + b": 0 1 0 a\n- 1\n" * 70_000,
        "many headers.txt": b"".join(b"#K%d:v\n" % i for i in range(90_000)) + song,
        "stamps.lrc": b"[00:01.00]" * 100_000,
        "stamps and words.lrc": b"[00:01.00]" * 4_000 + b"<00:01.00>a" * 80_000,
        "brackets.lrc": b"[" * 900_000,
        "angles.lrc": b"[00:01.00]" + b"<00:" * 240_000,
        "spaces.lrc": b" " * 900_000 + b"[00:01.00]a",
        "spaces in note.txt": HEAD.encode() + b":" + b" " * 900_000 + b"0 1 0 a",
        "breaks.lrc": b"\r\n\r\n\r" * 200_000 + b"[00:01.00]a",
        "separators.lrc": "[00:01.00]a\u2028b\x85c\x0bd\x1ce\n".encode(),
        "time.lrc": b"[9999:99.999999]a\n[-1:00.00]b\n[00:99999.00]c\n",
    }
    files |= {f"number {at}.txt": song.replace(b"300", text.encode(), 1) for at, text in enumerate(numbers)}
    assert len(files) == 50
    return files
