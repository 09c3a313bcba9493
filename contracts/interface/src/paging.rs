//! Lists come in pages.

/// Rows of a page where the asker does not say.
pub const LIMIT_DEFAULT: u32 = 30;
/// Most rows of a page.
pub const LIMIT_MAX: u32 = 100;

/// Rows of a page: what was asked for, at most [`LIMIT_MAX`].
pub fn limit(asked: Option<u32>) -> usize {
    asked.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded() {
        assert_eq!([None, Some(0), Some(7), Some(u32::MAX)].map(limit), [30, 0, 7, 100]);
    }
}
