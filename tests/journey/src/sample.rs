//! Which images are read: real ones where there are some, synthetic ones else.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aceso_inference::image::{self, Format, Limits};
use anyhow::{Context, Result, bail};

use crate::{
    download::{Download, FILE},
    phantom::{self, EXPLICIT, Picture, Stored},
};

/// Which images of the test split stand for all: the first and the second one of the main job.
const INDICES: [usize; 2] = [1, 2];
/// Which phantoms do where there is no real image.
const PHANTOMS: [u32; 2] = [1, 3];
/// What a registrant states of a PNG, which does not say it itself.
const CHEST: Stated = Some(("DX", "CHEST"));

/// Modality and body part, where the registrant must say them.
pub(crate) type Stated = Option<(&'static str, &'static str)>;

/// The images of the main job.
pub(crate) struct Samples {
    /// Read and paid first.
    pub(crate) first: Sample,
    /// Another image of the same patient, a PNG.
    pub(crate) second: Plain,
}

/// An image in two wrappings with equal pixels.
pub(crate) struct Sample {
    /// What it is, for people.
    pub(crate) about: String,
    /// As it is registered first.
    pub(crate) file: Vec<u8>,
    pub(crate) stated: Stated,
    /// The same pixels in another file.
    pub(crate) again: Again,
}

/// Pixels that are known already, in another file.
pub(crate) struct Again {
    pub(crate) file: Vec<u8>,
    pub(crate) stated: Stated,
}

/// An image in one wrapping.
pub(crate) struct Plain {
    pub(crate) about: String,
    pub(crate) file: Vec<u8>,
    pub(crate) stated: Stated,
}

/// Where images may come from.
pub(crate) struct Sources {
    /// The file that the user names.
    pub(crate) image: Option<PathBuf>,
    /// The folder that she names.
    pub(crate) data: Option<PathBuf>,
    /// Where the data is usually found.
    pub(crate) usual: Option<PathBuf>,
    /// The official data set, where it may be fetched.
    pub(crate) download: Option<Download>,
}

/// The images of the main job: the user's file, else two of the test split from the first place that has it, else
/// phantoms. Nothing is fetched where an image is at hand.
pub(crate) fn samples(from: &Sources, say: &mut dyn FnMut(&str)) -> Result<Samples> {
    if let Some(path) = &from.image {
        let file = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(Samples { first: own(&path.display().to_string(), file)?, second: phantom_png()? });
    }
    let folder = from.data.as_ref().or(from.usual.as_ref());
    if let Some(path) = folder.map(|folder| folder.join(FILE)).filter(|path| path.is_file()) {
        return real(&path);
    }
    if let Some(folder) = &from.data {
        bail!("there is no {FILE} in {}", folder.display());
    }
    let mut why = String::new();
    if let Some(download) = &from.download {
        match download.fetch(say) {
            Ok(path) => return real(&path),
            Err(error) => {
                say(&format!("{error}: synthetic sample"));
                why = format!("{error}; ");
            }
        }
    }
    let [first, _] = PHANTOMS;
    let about = format!(
        "a synthetic chest image (phantom {first} of {}); {why}give --image FILE or --data DIR for a real one",
        phantom::COUNT
    );
    let first = wrapped(about, &phantom::phantom(first).picture, 1001)?;
    Ok(Samples { first, second: phantom_png()? })
}

/// Two images of the data set's test split.
fn real(path: &Path) -> Result<Samples> {
    let [first, second] = INDICES.map(|index| test_split(path, index));
    let about = |index| format!("a real chest X-ray: PneumoniaMNIST, test split, number {index}");
    let from = format!("{}, from {}", about(INDICES[0]), path.display());
    let (first, second) = (wrapped(from, &first?, 1000)?, phantom::png(&second?)?);
    Ok(Samples { first, second: Plain { about: about(INDICES[1]), file: second, stated: CHEST } })
}

fn phantom_png() -> Result<Plain> {
    let [_, second] = PHANTOMS;
    let file = phantom::png(&phantom::phantom(second).picture)?;
    Ok(Plain { about: format!("a synthetic chest image (phantom {second})"), file, stated: CHEST })
}

/// A synthetic chest image as DICOM, and as PNG.
pub(crate) fn synthetic(index: u32) -> Result<Sample> {
    wrapped(format!("phantom {index}"), &phantom::phantom(index).picture, index.into())
}

/// A synthetic chest image in a file that says it is a CT.
pub(crate) fn synthetic_ct(index: u32) -> Vec<u8> {
    let mut elements = phantom::chest(&phantom::phantom(index).picture, Stored::Eight, index.into());
    for element in elements.iter_mut().filter(|element| element.tag == (0x0008, 0x0060)) {
        element.value = b"CT".to_vec();
    }
    phantom::dicom(&elements, EXPLICIT)
}

fn wrapped(about: String, picture: &Picture, number: u64) -> Result<Sample> {
    let file = phantom::dicom(&phantom::chest(picture, Stored::Eight, number), EXPLICIT);
    let again = Again { file: phantom::png(picture)?, stated: CHEST };
    Ok(Sample { about, file, stated: None, again })
}

/// The user's own file, and the same with something added that is not pixels.
fn own(name: &str, file: Vec<u8>) -> Result<Sample> {
    let decoded = image::decode(&file, Limits::default()).with_context(|| format!("{name} is not an image to read"))?;
    let padding: &[u8] = match decoded.format() {
        // PS3.10 section 7.2: Data Set Trailing Padding, in explicit and in implicit encoding.
        Format::Dicom if file.windows(18).any(|window| window == b"1.2.840.10008.1.2\0") => {
            &[0xfc, 0xff, 0xfc, 0xff, 2, 0, 0, 0, 0, 0]
        }
        Format::Dicom => &[0xfc, 0xff, 0xfc, 0xff, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 0],
        // What follows the last chunk (PNG section 13.2) or the last marker is not part of the picture.
        Format::Png | Format::Jpeg => &[0],
    };
    let stated = CHEST.filter(|_| decoded.format() != Format::Dicom);
    let again = Again { file: [&file[..], padding].concat(), stated };
    Ok(Sample { about: format!("your image {name}"), file, stated, again })
}

/// One picture of the data set's test split.
fn test_split(path: &Path, index: usize) -> Result<Picture> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let images = aceso_test_support::npz::read(&bytes, "test_images")
        .with_context(|| format!("{} holds no test split", path.display()))?;
    let [count, height, width] = images.shape[..] else { bail!("the test split has shape {:?}", images.shape) };
    if index >= count {
        bail!("the test split has {count} images");
    }
    let size = width * height;
    let pixels = images.data[index * size..(index + 1) * size].to_vec();
    Ok(Picture { width: width.try_into()?, height: height.try_into()?, pixels })
}

#[cfg(test)]
mod tests {
    use flate2::Crc;

    use super::*;
    use crate::download::tests::{Server, download, nobody};

    /// An archive of one stored member: a test split of so many images of 28 × 28.
    pub(crate) fn archive(images: usize) -> Vec<u8> {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({images}, 28, 28), }}\n");
        let pixels = (0..images * 28 * 28).map(|at| u8::try_from((at * 7 + at / 784) % 251).unwrap());
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        let npy = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes()].concat();
        let npy: Vec<u8> = npy.into_iter().chain(pixels).collect();
        let (name, size) = (b"test_images.npy", u32::try_from(npy.len()).unwrap().to_le_bytes());
        let mut sum = Crc::new();
        sum.update(&npy);
        // Version, flags, method, time, date; CRC; sizes packed and not; lengths of name and extra field.
        let sizes = [&sum.sum().to_le_bytes()[..], &size, &size, &[15, 0, 0, 0]].concat();
        let local = [b"PK\x03\x04", &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sizes, name, &npy].concat();
        let entry = [b"PK\x01\x02", &[20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sizes, &[0; 14], name].concat();
        let place = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let end = [b"PK\x05\x06", &[0, 0, 0, 0, 1, 0, 1, 0][..], &place(&entry), &place(&local), &[0, 0]].concat();
        [local, entry, end].concat()
    }

    fn nowhere() -> Sources {
        Sources { image: None, data: None, usual: None, download: None }
    }

    fn taken(from: &Sources) -> (Samples, Vec<String>) {
        let mut said = Vec::new();
        let samples = samples(from, &mut |what| said.push(what.to_owned())).unwrap();
        (samples, said)
    }

    fn pixels(file: &[u8]) -> aceso_types::PixelDigest {
        image::decode(file, Limits::default()).unwrap().pixel_digest()
    }

    #[test]
    fn each_place_is_asked_in_turn() {
        let folder = tempfile::tempdir().unwrap();
        let (synthetic, said) = taken(&nowhere());
        assert!(synthetic.first.about.starts_with("a synthetic chest image (phantom 1 of 16); give --image"));
        assert!(said.is_empty());

        let npz = archive(5);
        let (server, cache) = (Server::whole(npz.clone()), folder.path().join("cache"));
        let fetch = || Some(download(&server.url, &npz, &cache));
        let (fetched, said) = taken(&Sources { download: fetch(), ..nowhere() });
        assert!(fetched.first.about.starts_with("a real chest X-ray: PneumoniaMNIST, test split, number 1, from "));
        assert!(fetched.first.about.contains("cache"), "{}", fetched.first.about);
        assert!(said[0].starts_with("fetching "), "{said:?}");
        assert_eq!(server.served(), 1);

        // What lies somewhere is not fetched.
        fs::write(folder.path().join(FILE), &npz).unwrap();
        let usual = Sources { usual: Some(folder.path().into()), download: fetch(), ..nowhere() };
        assert_eq!(pixels(&taken(&usual).0.first.file), pixels(&fetched.first.file));
        let named = Sources { data: Some(folder.path().into()), ..usual };
        assert_eq!(taken(&named).0.first.file, fetched.first.file);
        let own = folder.path().join("own.png");
        fs::write(&own, &synthetic.first.again.file).unwrap();
        let (own, _) = taken(&Sources { image: Some(own), ..named });
        assert!(own.first.about.starts_with("your image "));
        assert_eq!(own.first.stated, CHEST);
        assert_eq!(server.served(), 1);

        let empty = tempfile::tempdir().unwrap();
        let missing = Sources { data: Some(empty.path().into()), download: fetch(), ..nowhere() };
        let refused = samples(&missing, &mut |_| ()).err().unwrap().to_string();
        assert!(refused.starts_with("there is no pneumoniamnist.npz in "), "{refused}");
    }

    #[test]
    fn without_a_network_the_sample_is_synthetic_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://{}/{FILE}", nobody());
        let download = Some(download(&url, b"", folder.path()));
        let (samples, said) = taken(&Sources { download, ..nowhere() });
        let last = said.last().unwrap();
        assert!(last.starts_with("no network: ") && last.ends_with(": synthetic sample"), "{last}");
        assert!(samples.first.about.contains("(phantom 1 of 16); no network: "), "{}", samples.first.about);
    }

    #[test]
    fn the_two_images_differ_and_a_png_is_stated() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), archive(3)).unwrap();
        let real = Sources { data: Some(folder.path().into()), ..nowhere() };
        for from in [nowhere(), real] {
            let (Samples { first, second }, _) = taken(&from);
            assert_ne!(pixels(&first.file), pixels(&second.file));
            assert_eq!(pixels(&first.file), pixels(&first.again.file));
            for (file, stated) in
                [(&first.file, first.stated), (&first.again.file, first.again.stated), (&second.file, second.stated)]
            {
                let says = image::decode(file, Limits::default()).unwrap().modality().is_some();
                assert!(says != stated.is_some());
            }
        }
        fs::write(folder.path().join(FILE), archive(1)).unwrap();
        let few = Sources { data: Some(folder.path().into()), ..nowhere() };
        let refused = samples(&few, &mut |_| ()).err().unwrap().to_string();
        assert!(refused.contains("has 1 images"), "{refused}");
    }
}
