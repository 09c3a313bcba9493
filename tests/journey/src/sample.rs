//! Which images are read: a real one where there is one, synthetic ones else.

use std::{fs, path::Path};

use aceso_inference::image::{self, Format, Limits};
use anyhow::{Context, Result, bail};

use crate::phantom::{self, EXPLICIT, Picture, Stored};

/// Which image of the test split stands for all.
const INDEX: usize = 1;
/// The data set's file.
const FILE: &str = "pneumoniamnist.npz";

/// An image in two wrappings with equal pixels.
pub(crate) struct Sample {
    /// What it is, for people.
    pub(crate) about: String,
    /// As it is registered first.
    pub(crate) file: Vec<u8>,
    /// The same pixels in another file.
    pub(crate) again: Vec<u8>,
}

/// The image of the main job: the file that the user names, else one of the test split in the folder that she names or
/// where it is usually found, else a phantom.
pub(crate) fn main_sample(image: Option<&Path>, data: Option<&Path>) -> Result<Sample> {
    if let Some(path) = image {
        let file = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        return own(&path.display().to_string(), file);
    }
    let folder = data.map(Path::to_path_buf).or_else(aceso_test_support::data_dir);
    if let Some(path) = folder.map(|folder| folder.join(FILE)).filter(|path| path.is_file()) {
        let about = format!("a real chest X-ray: PneumoniaMNIST, test split, number {INDEX}");
        return wrapped(about, &test_split(&path)?, 1000);
    }
    if let Some(folder) = data {
        bail!("there is no {FILE} in {}", folder.display());
    }
    let real = "give --image FILE or --data DIR for a real one";
    let about = format!("a synthetic chest image (phantom {INDEX} of {}); {real}", phantom::COUNT);
    wrapped(about, &phantom::phantom(1).picture, 1001)
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
    Ok(Sample { about, file, again: phantom::png(picture)? })
}

/// The user's own file, and the same with something added that is not pixels.
fn own(name: &str, file: Vec<u8>) -> Result<Sample> {
    let decoded = image::decode(&file, Limits::default()).with_context(|| format!("{name} is not an image to read"))?;
    let padding: &[u8] = match decoded.format() {
        // PS3.10 section 7.2: Data Set Trailing Padding, in explicit and in implicit encoding.
        Format::Dicom if file.windows(20).any(|window| window == b"1.2.840.10008.1.2.1\0") => {
            &[0xfc, 0xff, 0xfc, 0xff, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 0]
        }
        Format::Dicom => &[0xfc, 0xff, 0xfc, 0xff, 2, 0, 0, 0, 0, 0],
        // What follows the last chunk is not part of the picture (PNG section 13.2).
        Format::Png => &[0],
    };
    let again = [&file[..], padding].concat();
    Ok(Sample { about: format!("your image {name}"), file, again })
}

/// One picture of the data set's test split.
fn test_split(path: &Path) -> Result<Picture> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let images = aceso_test_support::npz::read(&bytes, "test_images")
        .with_context(|| format!("{} holds no test split", path.display()))?;
    let [count, height, width] = images.shape[..] else { bail!("the test split has shape {:?}", images.shape) };
    if INDEX >= count {
        bail!("the test split has {count} images");
    }
    let size = width * height;
    let pixels = images.data[INDEX * size..(INDEX + 1) * size].to_vec();
    Ok(Picture { width: width.try_into()?, height: height.try_into()?, pixels })
}
