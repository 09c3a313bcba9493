//! Tag trees (T.800 section B.10.2): the lowest of four values is told before the four.

/// A tree over a grid. Each node knows its lowest possible value, and whether it is that.
#[derive(Debug)]
pub(super) struct Tree {
    /// Width of each level, and where its nodes begin, from the leaves.
    levels: Vec<(u32, usize)>,
    nodes: Vec<(u32, bool)>,
}

impl Tree {
    pub(super) fn new(mut width: u32, mut height: u32) -> Self {
        let mut levels = Vec::new();
        let mut count = 0;
        while width > 0 && height > 0 {
            levels.push((width, count));
            count += width as usize * height as usize;
            if width == 1 && height == 1 {
                break;
            }
            (width, height) = (width.div_ceil(2), height.div_ceil(2));
        }
        Self { levels, nodes: vec![(0, false); count] }
    }

    /// A leaf's value if it is below `limit`; `bit` is asked for what is not known.
    pub(super) fn value<E>(
        &mut self,
        (x, y): (u32, u32),
        limit: u32,
        mut bit: impl FnMut() -> Result<bool, E>,
    ) -> Result<Option<u32>, E> {
        let mut low = 0;
        let mut known = false;
        for (level, &(width, start)) in self.levels.iter().enumerate().rev() {
            let place = start + (y >> level) as usize * width as usize + (x >> level) as usize;
            let Some((value, done)) = self.nodes.get_mut(place) else { return Ok(None) };
            *value = low.max(*value);
            while !*done && *value < limit {
                if bit()? {
                    *done = true;
                } else {
                    *value += 1;
                }
            }
            (low, known) = (*value, *done);
        }
        Ok(Some(low).filter(|&value| known && value < limit))
    }
}
