//! Synthetic chest images, labelled by construction, and the two files that a picture is wrapped in.
//!
//! A phantom is a drawing: a trunk, two lungs crossed by ribs, a heart, a spine, a diaphragm, a little noise. Every
//! odd one has opacities in its lungs and is labelled pneumonia, every even one is clear. Nothing of it comes from a
//! patient, and all of it is integer arithmetic on the index, so that a number is the sample. Start at [`phantom`];
//! [`png`] and [`dicom`] wrap any 8-bit grey [`Picture`].

/// How many phantoms are bundled, from index 0.
pub(crate) const COUNT: u32 = 16;
/// A phantom's columns and rows.
pub(crate) const SIDE: u16 = 224;

/// Points of the grain's lattice along one side.
const GRAIN: i64 = 29;

/// Explicit VR Little Endian.
pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
/// Implicit VR Little Endian.
pub(crate) const IMPLICIT: &str = "1.2.840.10008.1.2";
/// Digital X-Ray Image Storage, for presentation.
const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";

/// An 8-bit grey picture, rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Columns.
    pub(crate) width: u16,
    /// Rows.
    pub(crate) height: u16,
    /// One byte per pixel.
    pub(crate) pixels: Vec<u8>,
}

/// A synthetic chest image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phantom {
    /// Its number, which is all it is made of.
    pub(crate) index: u32,
    /// Its label: are there opacities?
    pub(crate) pneumonia: bool,
    /// The drawing.
    pub(crate) picture: Picture,
}

/// Draws a phantom; any index has one.
pub(crate) fn phantom(index: u32) -> Phantom {
    let mut dice = Dice(u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x0061_6365_736f);
    let pneumonia = index % 2 == 1;
    let body = Body::draw(&mut dice, pneumonia);
    let pixels = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y)));
    let pixels =
        pixels.map(|(x, y)| body.at(place(x), place(y)).saturating_add(dice.within(-3, 3)).clamp(0, 255) as u8);
    let picture = Picture { width: SIDE, height: SIDE, pixels: pixels.collect() };
    Phantom { index, pneumonia, picture }
}

/// The middle of a pixel, in thousandths of the side.
fn place(pixel: u16) -> i64 {
    (2000 * i64::from(pixel) + 1000) / (2 * i64::from(SIDE))
}

/// Everything that differs between two phantoms, in thousandths of the side and grey levels.
struct Body {
    lungs: [Blob; 2],
    heart: Blob,
    trunk: Blob,
    spine: i64,
    diaphragm: i64,
    rib_phase: i64,
    air: i64,
    tissue: i64,
    bright: i64,
    /// With how much of each replaces the lung under it, of 256.
    opacities: Vec<(Blob, i64)>,
    /// Grey levels on a lattice, blended between: vessels and all that has no name.
    grain: Vec<i64>,
}

impl Body {
    fn draw(dice: &mut Dice, pneumonia: bool) -> Self {
        let spine = 505 + dice.within(-15, 15);
        let middle = 560 + dice.within(-15, 15);
        let lung = |dice: &mut Dice, side: i64| Blob {
            x: spine + side * (250 + dice.within(-12, 12)),
            y: middle + dice.within(-12, 12),
            across: 140 + dice.within(-10, 10),
            along: 380 + dice.within(-15, 15),
            lean: side * 200,
            flare: 1100,
        };
        let lungs = [lung(dice, -1), lung(dice, 1)];
        let heart = Blob { x: spine + 40, y: 640, across: 100 + dice.within(-12, 12), along: 190, lean: 350, flare: 0 };
        let trunk = Blob { x: spine, y: 620, across: 540 + dice.within(-20, 20), along: 900, lean: 0, flare: 0 };
        let count = if pneumonia { 4 } else { 0 };
        let opacities = (0..count)
            .map(|i| {
                let host = &lungs[i % 2];
                let blob = Blob {
                    x: host.x + dice.within(-50, 50),
                    y: host.y + dice.within(-60, 220),
                    across: 190 + dice.within(0, 90),
                    along: 230 + dice.within(0, 120),
                    lean: 0,
                    flare: 0,
                };
                (blob, 200 + dice.within(0, 50))
            })
            .collect();
        let grain = (0..GRAIN * GRAIN).map(|_| dice.within(-14, 14)).collect();
        Self {
            lungs,
            heart,
            trunk,
            spine,
            diaphragm: 745 + dice.within(-20, 20),
            rib_phase: dice.within(0, 99),
            air: 58 + dice.within(-10, 10),
            tissue: 170 + dice.within(-6, 6),
            bright: 238 + dice.within(-6, 6),
            opacities,
            grain,
        }
    }

    /// The grey level at a place.
    fn at(&self, x: i64, y: i64) -> i64 {
        // Above the shoulders there is air.
        let shoulder = ramp(y + 20 - (x - self.spine).abs() / 4, 130);
        let trunk = self.trunk.cover(x, y) * shoulder / 256;
        let mut level = mix(70, self.tissue, trunk);
        let mut lung = self.lungs.iter().map(|lung| lung.cover(x, y)).max().unwrap_or(0);
        // The diaphragm: a dome on each side below which there is no air.
        let dome = self.diaphragm + (x - self.spine).abs().pow(2) / 2400 - 30;
        lung = lung * (256 - ramp(y - dome, 130)) / 256;
        // Ribs cross the lungs and fade in the chest wall.
        let rib = (y + (x - self.spine).abs() / 2 + self.rib_phase) % 100;
        let rib = (25 - (rib - 25).abs()).max(0) * 5 / 2;
        level = mix(level + rib / 3, self.air + rib, lung);
        level += self.grain_at(x, y);
        for (blob, part) in &self.opacities {
            level = mix(level, self.bright - 62, blob.cover(x, y) * part / 256 * lung / 256);
        }
        let solid = ramp(y - dome, 200) * trunk / 256;
        level = mix(level, self.bright, solid.max(self.heart.cover(x, y)));
        // The spine, and the shoulders' dark corners above.
        let column = 256 - ramp((x - self.spine).abs() - 30, 90);
        mix(level, self.bright + 4, column * 220 / 256)
    }

    fn grain_at(&self, x: i64, y: i64) -> i64 {
        let (column, row) = (x * (GRAIN - 1), y * (GRAIN - 1));
        let at = |dx: i64, dy: i64| {
            let place = (row / 1000 + dy) * GRAIN + column / 1000 + dx;
            usize::try_from(place).ok().and_then(|place| self.grain.get(place)).copied().unwrap_or(0)
        };
        let (right, down) = (column % 1000 * 256 / 1000, row % 1000 * 256 / 1000);
        mix(mix(at(0, 0), at(1, 0), right), mix(at(0, 1), at(1, 1), right), down)
    }
}

/// An ellipse; below its middle it moves sideways by `lean` and widens by `flare` thousandths of the way down.
#[derive(Clone, Copy)]
struct Blob {
    x: i64,
    y: i64,
    across: i64,
    along: i64,
    lean: i64,
    flare: i64,
}

impl Blob {
    /// 1024 on the edge, 0 in the middle.
    fn radius(&self, x: i64, y: i64) -> i64 {
        let dx = x - self.x - (y - self.y) * self.lean / 1000;
        let dy = y - self.y;
        let across = (self.across * (1000 + dy * self.flare / 1000) / 1000).max(1);
        1024 * dx * dx / (across * across) + 1024 * dy * dy / (self.along * self.along)
    }

    /// 256 inside, 0 outside, a slope between.
    fn cover(&self, x: i64, y: i64) -> i64 {
        256 - ramp(self.radius(x, y) - 780, 480)
    }
}

/// 0 up to 0, 256 from `width` on.
fn ramp(value: i64, width: i64) -> i64 {
    value.clamp(0, width) * 256 / width
}

/// `from` at 0, `to` at 256.
fn mix(from: i64, to: i64, part: i64) -> i64 {
    from + (to - from) * part / 256
}

/// xorshift64*, Vigna 2016.
struct Dice(u64);

impl Dice {
    fn within(&mut self, low: i64, high: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        low + (drawn % (high - low + 1).unsigned_abs()).cast_signed()
    }
}

/// The picture as PNG, 8-bit grey.
///
/// # Errors
///
/// Pixels that do not fill the picture.
pub(crate) fn png(picture: &Picture) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, picture.width.into(), picture.height.into());
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&picture.pixels)?;
    Ok(file)
}

/// How a DICOM file stores the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// 8 bits in 8.
    Eight,
    /// 12 bits in 16, with the window that shows the 8-bit picture.
    Twelve,
}

/// One element of a DICOM data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// Group and element number.
    pub(crate) tag: (u16, u16),
    /// Value representation.
    pub(crate) vr: [u8; 2],
    /// The value, of even length.
    pub(crate) value: Vec<u8>,
}

impl Element {
    /// A text element, padded to even length.
    pub(crate) fn text(tag: (u16, u16), vr: [u8; 2], text: &str) -> Self {
        let mut value = text.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == *b"UI" { 0 } else { b' ' });
        }
        Self { tag, vr, value }
    }

    /// An unsigned 16-bit element.
    pub(crate) fn number(tag: (u16, u16), number: u16) -> Self {
        Self { tag, vr: *b"US", value: number.to_le_bytes().into() }
    }

    fn encode(&self, implicit: bool, out: &mut Vec<u8>) {
        out.extend(self.tag.0.to_le_bytes());
        out.extend(self.tag.1.to_le_bytes());
        let long = matches!(&self.vr, b"OB" | b"OW" | b"SQ" | b"UN" | b"UT");
        if !implicit {
            out.extend(self.vr);
        }
        match (implicit, long) {
            (false, false) => out.extend(length::<u16>(&self.value).to_le_bytes()),
            (false, true) => {
                out.extend([0, 0]);
                out.extend(length::<u32>(&self.value).to_le_bytes());
            }
            (true, _) => out.extend(length::<u32>(&self.value).to_le_bytes()),
        }
        out.extend(&self.value);
    }
}

/// The data set of a de-identified digital X-ray of a chest. `number` makes its UIDs (under 2.25).
pub(crate) fn chest(picture: &Picture, stored: Stored, number: u64) -> Vec<Element> {
    let uid = |what: u64| format!("2.25.{}", (u128::from(number) << 8 | u128::from(what)) + (0xace50_u128 << 96));
    let bits = match stored {
        Stored::Eight => 8,
        Stored::Twelve => 12,
    };
    let data = match stored {
        Stored::Eight => picture.pixels.clone(),
        // 12 bits whose upper 8 are the picture: 255 becomes 4095.
        Stored::Twelve => {
            picture.pixels.iter().flat_map(|&v| (u16::from(v) << 4 | u16::from(v) >> 4).to_le_bytes()).collect()
        }
    };
    let mut elements = vec![
        Element::text((0x0008, 0x0008), *b"CS", "DERIVED\\PRIMARY"),
        Element::text((0x0008, 0x0016), *b"UI", DX),
        Element::text((0x0008, 0x0018), *b"UI", &uid(1)),
        Element::text((0x0008, 0x0060), *b"CS", "DX"),
        Element::text((0x0008, 0x0068), *b"CS", "FOR PRESENTATION"),
        Element::text((0x0010, 0x0010), *b"PN", ""),
        Element::text((0x0010, 0x0020), *b"LO", ""),
        Element::text((0x0012, 0x0062), *b"CS", "YES"),
        Element::text((0x0012, 0x0063), *b"LO", "pixels only"),
        Element::text((0x0018, 0x0015), *b"CS", "CHEST"),
        Element::text((0x0018, 0x5101), *b"CS", "AP"),
        Element::text((0x0020, 0x000d), *b"UI", &uid(2)),
        Element::text((0x0020, 0x000e), *b"UI", &uid(3)),
        Element::number((0x0028, 0x0002), 1),
        Element::text((0x0028, 0x0004), *b"CS", "MONOCHROME2"),
        Element::number((0x0028, 0x0010), picture.height),
        Element::number((0x0028, 0x0011), picture.width),
        Element::number((0x0028, 0x0100), if bits == 8 { 8 } else { 16 }),
        Element::number((0x0028, 0x0101), bits),
        Element::number((0x0028, 0x0102), bits - 1),
        Element::number((0x0028, 0x0103), 0),
        Element::text((0x0028, 0x0301), *b"CS", "NO"),
    ];
    if stored == Stored::Twelve {
        elements.push(Element::text((0x0028, 0x1050), *b"DS", "2048"));
        elements.push(Element::text((0x0028, 0x1051), *b"DS", "4096"));
    }
    elements.push(Element::text((0x0028, 0x1052), *b"DS", "0"));
    elements.push(Element::text((0x0028, 0x1053), *b"DS", "1"));
    let pad = data.len() % 2;
    let value = [data, vec![0; pad]].concat();
    elements.push(Element { tag: (0x7fe0, 0x0010), vr: if bits == 8 { *b"OB" } else { *b"OW" }, value });
    elements
}

/// A DICOM file of these elements, which must rise; values are written implicitly under [`IMPLICIT`], else explicitly.
pub(crate) fn dicom(elements: &[Element], transfer_syntax: &str) -> Vec<u8> {
    let of = |number| elements.iter().find(|one| one.tag == (0x0008, number)).map(|one| one.value.clone());
    let mut meta = Vec::new();
    for element in [
        Element { tag: (0x0002, 0x0001), vr: *b"OB", value: vec![0, 1] },
        Element { tag: (0x0002, 0x0002), vr: *b"UI", value: of(0x0016).unwrap_or_default() },
        Element { tag: (0x0002, 0x0003), vr: *b"UI", value: of(0x0018).unwrap_or_default() },
        Element::text((0x0002, 0x0010), *b"UI", transfer_syntax),
        Element::text((0x0002, 0x0012), *b"UI", "2.25.194338241"),
    ] {
        element.encode(false, &mut meta);
    }
    let mut file = [&[0; 128][..], b"DICM"].concat();
    let length = length::<u32>(&meta).to_le_bytes().into();
    Element { tag: (0x0002, 0x0000), vr: *b"UL", value: length }.encode(false, &mut file);
    file.extend(meta);
    elements.iter().for_each(|element| element.encode(transfer_syntax == IMPLICIT, &mut file));
    file
}

/// The length that an element's head carries; 65535 where it does not fit, which readers refuse.
fn length<T: TryFrom<usize> + From<u16>>(value: &[u8]) -> T {
    T::try_from(value.len()).unwrap_or(T::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phantom_is_its_number() {
        for index in 0..COUNT {
            let one = phantom(index);
            assert_eq!(one, phantom(index));
            assert_eq!((one.picture.pixels.len(), one.pneumonia), (224 * 224, index % 2 == 1));
            assert_ne!(one.picture, phantom(index + 2).picture);
        }
    }

    #[test]
    fn opacities_make_lungs_brighter() {
        let lungs = |index| -> u64 {
            let picture = phantom(index).picture.pixels;
            (60..150).flat_map(|y| (40..80).map(move |x| y * 224 + x)).map(|at| u64::from(picture[at])).sum()
        };
        let clear = (0..COUNT).step_by(2).map(lungs).max();
        let hazy = (1..COUNT).step_by(2).map(lungs).min();
        assert!(clear < hazy, "{clear:?} {hazy:?}");
    }
}
