"""Draws one head as attenuation: soft tissue, skull, face, jaws, teeth, neck."""

from __future__ import annotations

import numpy as np

from .anatomy import Anatomy
from .drawing import Canvas, Draw, blurred, spline

# ruff: noqa: RUF005  (point + (dx, dy) is arithmetic on arrays here)


def draw_head(canvas: Canvas, patient: Anatomy, draw: Draw, texture: np.ndarray) -> None:
    """Adds the head to the canvas. `texture` float32 [H][W] is independent noise."""
    soft_tissue(canvas, patient, draw)
    skull(canvas, patient, draw, texture)
    cranial_base(canvas, patient, draw, texture)
    spine(canvas, patient, draw)
    face(canvas, patient, draw)
    small_structures(canvas, patient, draw)
    mandible(canvas, patient, draw)
    teeth(canvas, patient)
    np.maximum(canvas.value, 0, out=canvas.value)


def _vault(p: Anatomy, out: float) -> list:
    """Control points of the skull from glabella over the top to the base, `out` units outside."""
    g, v, o = p["glabella"], p["vertex"], p["opisthocranion"]
    points = [
        g,
        g + (3, -26),
        g + (-5, -66),
        0.45 * (g + (-34, -108)) + 0.55 * (v + (100, 40)),
        v + (55, 10),
        v,
        v + (-55, 10),
        0.5 * (v + (-105, 40)) + 0.5 * (o + (41, -96)),
        o + (10, -53),
        o,
        o + (6, 47),
        o + (24, 85),
        o + (56, 110),
        o + (92, 117),
    ]
    centre = np.array([150.0, 150.0])
    away = [q - centre for q in points]
    return [q + a / np.hypot(*a) * out for q, a in zip(points, away, strict=True)]


def soft_tissue(canvas: Canvas, p: Anatomy, draw: Draw) -> None:
    scalp = _vault(p, 9 + draw.uniform(0, 4))[:11]
    n, sn, ul, ll = p["nasion"], p["subnasale"], p["upper lip"], p["lower lip"]
    tip, chin, me = p["pronasale"], p["soft tissue pogonion"], p["menton"]
    mouth = 0.5 * (ul + ll) + (-9, 0)
    throat = p["hyoid"] + (18, 18)
    face = [
        n + (13, 4),
        0.55 * n + 0.45 * tip + (6, -4),
        tip + (-9, -10),
        tip,
        tip + (-6, 8),
        sn,
        0.5 * (sn + ul) + (-1, 0),
        ul,
        mouth + (3, -3),
        mouth,
        mouth + (3, 4),
        ll,
        0.5 * (ll + chin) + (-12, 2),
        chin,
        chin + (-5, 15),
        me + (-4, 17),
        0.5 * (me + throat) + (0, 10),
        throat,
        throat + (-8, 30),
        throat + (-10, 90),
    ]
    back = [(-40, 560), (-25, 420), (-8, 330), p["opisthocranion"] + (2, 85)]
    outline = spline(face + back + scalp[::-1], closed=True)
    canvas.fill(outline)
    body = canvas.layer(0.8)
    deep = blurred(body, 22 * canvas.scale)
    canvas.value += body * (np.float32(0.08) + np.float32(0.34) * deep * deep)
    # The air of the throat and the nose.
    wall = p["posterior nasal spine"]
    airway = [
        wall + (-14, 2),
        wall + (-22, 40),
        wall + (-24, 90),
        p["hyoid"] + (-22, 10),
        p["hyoid"] + (-22, 80),
    ]
    canvas.line(spline(airway), 11 + draw.normal(2))
    canvas.fill(
        spline(
            [
                wall + (-4, -22),
                wall + (40, -26),
                p["anterior nasal spine"] + (-8, -14),
                p["anterior nasal spine"] + (-12, -5),
                wall + (4, -4),
            ],
            closed=True,
        )
    )
    canvas.add(-0.16, 2.0)


def skull(canvas: Canvas, p: Anatomy, draw: Draw, texture: np.ndarray) -> None:
    table = p.vault
    outer = spline(_vault(p, 0))
    inner = spline(_vault(p, -table))
    s, n, ba = p["sella"], p["nasion"], p["basion"]
    floor = spline([ba, s + (-8, 6), s + (10, -4), s + (60, -14), n + (-14, -10)])
    canvas.fill(np.concatenate([inner, floor]))
    brain = canvas.layer(2.5)
    mottle = blurred(texture, 2.2 * canvas.scale) * 2.6 + blurred(texture, 9 * canvas.scale) * 9
    thick = blurred(brain, 26 * canvas.scale)
    canvas.value += brain * (np.float32(0.26) + np.float32(0.16) * thick)
    canvas.value += brain * mottle * np.float32(0.022 + draw.uniform(0, 0.015))
    # Outer table, diploe, inner table.
    canvas.fill(np.concatenate([outer, inner[::-1]]))
    canvas.add(0.16, 0.8)
    canvas.line(outer, 1.6).line(inner, 2.0, 220)
    canvas.add(0.20, 0.6)
    # Sutures and vessel grooves.
    v = p["vertex"]
    start = v + (draw.uniform(10, 50), 8)
    suture = [start + (draw.normal(3) + 5 * k, 26 * k) for k in range(5)]
    canvas.line(spline(suture), 1.2)
    canvas.line(spline([v + (-95, 120), v + (-70, 95), v + (-50, 60), v + (-45, 30)]), 1.5, 160)
    canvas.add(-0.07, 0.9)


def cranial_base(canvas: Canvas, p: Anatomy, draw: Draw, texture: np.ndarray) -> None:
    s, n, po, ba = p["sella"], p["nasion"], p["porion"], p["basion"]
    # Petrous bone and mastoid with its air cells.
    rock = [
        po + (-48, 18),
        po + (-30, -12),
        po + (0, -22),
        po + (28, -16),
        po + (34, 6),
        po + (12, 20),
        po + (-12, 32),
        po + (-34, 34),
    ]
    canvas.fill(spline(rock, closed=True))
    body = canvas.layer(5)
    cells = blurred(texture, 1.4 * canvas.scale) * 3.6
    canvas.value += body * (np.float32(0.22) + np.float32(0.085) * cells)
    canvas.fill(
        spline([po + (-42, 8), po + (-26, -4), po + (-14, 10), po + (-28, 30)], closed=True)
    )
    canvas.add(-0.14, 4)
    # Sphenoid sinus below the fossa, then the fossa itself with the clinoid processes.
    canvas.fill(spline([s + (4, 12), s + (34, 6), s + (40, 26), s + (14, 30)], closed=True))
    canvas.add(-0.10, 2.2)
    fossa = s + p.fossa
    for offset, level in (((0, 0), 255), (p.second * 0.5, 150)):
        canvas.line(spline(fossa + offset), 1.7, level)
    canvas.add(0.26, 0.5)
    canvas.fill(
        spline(
            [s + (-9, -10), s + (-14, 2), ba + (3, -3), ba + (14, -5), s + (-1, 14)], closed=True
        )
    )
    canvas.add(0.17, 1.5)
    canvas.line(spline([s + (-9, -10), s + (-15, 4), 0.5 * (s + ba) + (-4, 0), ba]), 1.6)
    # Floor of the anterior fossa: the roofs of both orbits, wavy.
    for offset in ((0, 0), p.second):
        roof = [
            s + (40, -13),
            s + (62, -22 + draw.normal(2)),
            s + (85, -20 + draw.normal(2)),
            n + (-14, -15),
            n + (-4, -20),
        ]
        canvas.line(spline(np.array(roof) + offset), 1.5, 220)
    # Occipital floor and the border of the temporal bone.
    canvas.line(spline([ba, ba + (-30, 14), p["opisthocranion"] + (92, 117)]), 2.0, 200)
    canvas.line(spline([po + (24, -10), po + (60, -2), s + (40, 34), s + (46, 6)]), 1.4, 150)
    canvas.add(0.22, 0.7)


def face(canvas: Canvas, p: Anatomy, draw: Draw) -> None:
    n, o, a = p["nasion"], p["orbitale"], p["subspinale"]
    ans, pns, tooth = p["anterior nasal spine"], p["posterior nasal spine"], p["prosthion"]
    g, s = p["glabella"], p["sella"]
    # Ethmoid and facial bone between the base and the palate.
    canvas.fill(
        spline(
            [
                s + (35, -8),
                n + (-16, -4),
                n + (-6, 20),
                o + (12, 6),
                ans + (-8, -6),
                pns + (2, -4),
                pns + (0, -40),
            ],
            closed=True,
        )
    )
    canvas.add(0.13, 4)
    # Frontal bone, nasal bone, frontal sinus.
    canvas.fill(
        spline(
            [g + (-14, -16), g + (-1, -4), n + (0, 0), n + (11, 24), n + (4, 14), n + (-10, 2)],
            closed=True,
        )
    )
    canvas.add(0.26, 0.9)
    canvas.line(spline([g + (0, -20), g, n + (2, -9), n, n + (4, 9), n + (12, 26)]), 1.6)
    canvas.add(0.24, 0.5)
    canvas.fill(spline([g + (-7, -14), g + (-3, -2), n + (-5, -8), n + (-12, -14)], closed=True))
    # Orbit and maxillary sinus: dark; their walls: bright; both sides.
    canvas.fill(spline([n + (-14, 4), o + (-4, -6), o + (-28, -8), s + (58, 2)], closed=True))
    canvas.fill(
        spline(
            [o + (-36, 6), o + (0, 8), a + (-14, -18), pns + (34, -6), pns + (22, -16)], closed=True
        )
    )
    canvas.add(-0.15, 3.0)
    for offset, level in (((0, 0), 255), (p.second, 190)):
        rim = [n + (-8, 2), n + (-17, 12), o + (-6, -22), o + (-6, -8), o, o + (9, 2), o + (14, 12)]
        canvas.line(spline(np.array(rim) + offset), 2.0, level)
        floor = [o + (-42, 0), o + (-22, 3), o]
        canvas.line(spline(np.array(floor) + offset), 1.4, level)
        ridge = [o + (-8, 4), o + (-13, 24), o + (-16, 40), o + (-22, 24), o + (-30, 6)]
        canvas.line(spline(np.array(ridge) + offset), 1.6, level)
        fissure = [pns + (2, -2), pns + (-4, -26), pns + (0, -46), pns + (11, -44), pns + (9, -22)]
        canvas.line(spline(np.array(fissure) + offset, closed=True), 1.3, int(0.8 * level))
    canvas.add(0.20, 0.5)
    # Palate and upper alveolar process.
    canvas.fill(
        spline(
            [ans + (0, 2), a, tooth, tooth + (-38, 8), pns + (14, 34), pns + (2, 18), pns + (8, 4)],
            closed=True,
        )
    )
    canvas.add(0.17, 1.6)
    top = [pns, 0.6 * pns + 0.4 * ans + (0, -3 + draw.normal(0.7)), ans + (-12, 0), ans]
    bottom = [pns, 0.6 * pns + 0.4 * ans + (0, 3), ans + (-16, 8), a + (-9, 8)]
    canvas.line(spline(top), 2.0).line(spline(bottom), 1.5, 200)
    canvas.line(spline([ans, a + (0.5, -6), a, 0.5 * (a + tooth) + (1, 0), tooth]), 1.7, 230)
    canvas.add(0.26, 0.5)


def small_structures(canvas: Canvas, p: Anatomy, draw: Draw) -> None:
    """Cells, plates and grooves that are every patient's own, where many of them overlap."""
    s, pns, o, po = p["sella"], p["posterior nasal spine"], p["orbitale"], p["porion"]
    places = [
        (0.5 * (s + o) + (10, -8), 34, 18),
        (pns + (30, -26), 36, 14),
        (po + (0, 8), 34, 18),
        (0.5 * (s + pns), 18, 26),
        (p["nasion"] + (-30, 6), 16, 16),
    ]
    for weight in (0.14, -0.09):
        for centre, wide, high in places:
            for _ in range(4):
                start = centre + (draw.normal(wide / 1.5), draw.normal(high / 1.5))
                angle, length = draw.uniform(0, np.pi), draw.uniform(8, 26)
                step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
                bow = np.array([-step[1], step[0]]) * draw.normal(0.4)
                curve = spline([start - step, start + bow, start + step])
                canvas.line(curve, draw.uniform(1, 2.6), int(draw.uniform(90, 255)))
        canvas.add(weight, 0.8)


def mandible(canvas: Canvas, p: Anatomy, draw: Draw) -> None:
    ar, go, me, gn, pg = (p[k] for k in ("articulare", "gonion", "menton", "gnathion", "pogonion"))
    b, ridge, co, cr = p["supramentale"], p["infradentale"], p["condyle"], p["coronoid"]
    down = (go - ar) / np.hypot(*(go - ar))
    along = (me - go) / np.hypot(*(me - go))
    lower = [
        co + (-7, 2),
        ar,
        0.5 * (ar + go) + (4, 2),
        go - 18 * down + (-3, 0),
        go,
        go + 18 * along + (0, 3),
        0.62 * go + 0.38 * me + (2, 1 + draw.normal(2)),
        0.3 * go + 0.7 * me + (0, 3),
        me,
        gn,
        pg,
        0.5 * (pg + b) + (-1, 0),
        b,
        ridge,
    ]
    upper = [
        ridge + (-8, 2),
        0.55 * ridge + 0.45 * cr + (14, 32),
        cr + (18, 52),
        cr + (10, 20),
        cr,
        0.5 * (cr + co) + (2, 10),
        co + (7, 4),
        co + (2, -5),
    ]
    outline = np.concatenate([spline(lower), spline(upper)])
    for offset, weight in (((0, 0), 1.0), (p.second * 1.3, 0.7)):
        canvas.fill(outline + offset)
        canvas.add(0.13 * weight, 1.2)
    canvas.line(outline, 2.2, 230, closed=True)
    canvas.line(outline + p.second * 1.3, 1.6, 120, closed=True)
    canvas.add(0.17, 0.6)
    canvas.line(spline(lower[5:10]), 3.6)
    # The symphysis: a bright loop behind the chin.
    loop = [b, pg, gn, me, me + (-9, -9), 0.5 * (b + me) + (-13, -6), b + (-11, -4)]
    canvas.fill(spline(loop, closed=True), 110)
    canvas.line(spline(loop, closed=True), 2.2, closed=True)
    canvas.add(0.17, 0.7)
    canal = [cr + (-4, 42), go + (30, -14), 0.4 * go + 0.6 * me + (0, -14)]
    canvas.line(spline(canal), 3.0)
    canvas.add(-0.07, 0.9)
    # Hyoid bone.
    h = p["hyoid"]
    canvas.line(spline([h + (14, 2), h + (2, 0), h + (-16, -10 + draw.normal(2))]), 5.0, 200)
    canvas.add(0.10, 1.0)


def _tooth(tip, axis, crown: float, root: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Crown and whole tooth; `axis` is the unit vector from tip to apex."""
    axis = np.asarray(axis)
    side = np.array([-axis[1], axis[0]]) * width / 2
    neck = tip + axis * crown
    apex = neck + axis * root
    cut = [tip - 0.5 * side, tip + 0.5 * side, tip + 0.4 * crown * axis + side, neck + 0.8 * side]
    other = [neck - 0.8 * side, tip + 0.4 * crown * axis - side]
    whole = [*cut, apex + 0.2 * side, apex - 0.2 * side, *other]
    return np.array(cut + other), np.array(whole)


def teeth(canvas: Canvas, p: Anatomy) -> None:
    ui, li = p["upper incisal incision"], p["lower incisal incision"]
    back = p["posterior nasal spine"] + (22, 50)
    line = 0.5 * (ui + li) - back
    along = line / np.hypot(*line)
    up = np.array([along[1], -along[0]])
    crowns, wholes = [], []
    widths, at = (8.5, 8.0, 8.5, 12.0, 12.5), 9.0
    for k, width in enumerate(widths):
        at += width / 2
        middle = 0.5 * (ui + li) - along * at
        molar = width > 10
        for sign, lean in ((1, 0.16 - 0.06 * k), (-1, 0.12 - 0.07 * k)):
            axis = up * sign * np.cos(lean) - along * np.sin(lean)
            tip = middle + up * sign * 0.2
            crown, whole = _tooth(tip, axis, 8.5 if molar else 9.5, 15 if molar else 19, width)
            crowns.append((crown, p.fillings[2 * k + (sign < 0)]))
            wholes.append(whole)
        at += width / 2 + 0.4
    for tip, lean, sign, width in ((ui, p.incline[0], 1, 9.0), (li, p.incline[1], -1, 7.0)):
        axis = np.array([-np.sin(lean), -sign * np.cos(lean)])
        crown, whole = _tooth(tip, axis, 12.0, 19.0, width)
        crowns.append((crown, 0.0))
        wholes.append(whole)
    for offset, weight in (((0, 0), 0.13), (p.second * 0.7, 0.08)):
        for whole in wholes:
            canvas.fill(whole + offset, 210).line(whole + offset, 1, 120, closed=True)
        canvas.add(weight, 0.6)
        for crown, _ in crowns:
            canvas.fill(crown + offset)
        canvas.add(1.7 * weight, 0.5)
    for crown, filling in crowns:
        if filling > 0:
            centre = crown.mean(axis=0)
            canvas.fill(centre + (crown - centre) * (0.55 + 0.3 * filling), int(255 * filling))
    canvas.add(0.9, 0.4)


def spine(canvas: Canvas, p: Anatomy, draw: Draw) -> None:
    blocks, tails = [], []
    for k, (x, y, angle) in enumerate(p.spine):
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        half, top = 13.0 + 0.4 * k, 11.0 if k else 14.0
        body = [
            (-half, -top),
            (0, -top + 2),
            (half - 1, -top + 1),
            (half - 2, 0),
            (half + 1, top),
            (0, top - 2),
            (-half, top - 1),
            (-half + 2, 0),
        ]
        blocks.append(np.array(body) @ turn.T + (x, y))
        drop = 8 + 2.5 * k + draw.normal(1.5)
        tail = [
            (-half - 2, -5),
            (-half - 20, -2),
            (-half - 40, drop - 3),
            (-half - 44, drop + 5),
            (-half - 32, drop + 8),
            (-half - 14, 8),
        ]
        tails.append(spline(np.array(tail) @ turn.T + (x, y), closed=True))
    x, y, angle = p.spine[0]
    dens = np.array([(-6, -10), (-5, -34), (0, -38), (5, -34), (7, -10)]) + (x, y)
    blocks.append(dens)
    arch = [(x + 10, y - 30), (x + 18, y - 28), (x + 17, y - 18), (x + 10, y - 18)]
    blocks.append(np.array(arch))
    tails.append(
        spline(
            [
                (x - 20, y - 26),
                (x - 48, y - 32),
                (x - 58, y - 24),
                (x - 52, y - 14),
                (x - 26, y - 18),
            ],
            closed=True,
        )
    )
    for tail in tails:
        canvas.fill(tail, 170).line(tail, 1.6, 230, closed=True)
    canvas.add(0.15, 0.9)
    for block in blocks:
        curve = spline(block, closed=True, steps=4)
        canvas.fill(curve, 150).line(curve, 1.8, closed=True)
    canvas.add(0.23, 0.8)
