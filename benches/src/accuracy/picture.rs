//! Calibration curve and confusion matrix as small SVGs, for a model's card. Integers only, so that the same outputs
//! give the same bytes everywhere.

use std::{collections::BTreeMap, fmt::Write};

/// Bins of the calibration curve.
const BINS: u64 = 10;
/// One in the units of probabilities.
const MICRO: u64 = 1_000_000;
/// Side of the plots, in pixels.
const SIDE: u64 = 240;
const INK: [&str; 3] = ["#1f5fa8", "#b3402a", "#3c7d3c"];

/// How often what is said to have a probability is there. One curve per label: its name, and for each file the probability
/// in millionths and whether the finding is there. A point stands for the files of a tenth, its area for how many they are.
pub(super) fn calibration(title: &str, labels: &[(&str, Vec<(u32, bool)>)]) -> String {
    let mut plot = String::new();
    let (left, top) = (48, 32);
    writes(&mut plot, &format!(r##"<path d="M{left} {top}v{SIDE}h{SIDE}" fill="none" stroke="#444"/>"##));
    let corner = top + SIDE;
    writes(
        &mut plot,
        &format!(r##"<path d="M{left} {corner}L{} {top}" stroke="#999" stroke-dasharray="4 4"/>"##, left + SIDE),
    );
    for tenth in [0, 5, 10] {
        let share = format!("{}.{}", tenth / 10, tenth % 10);
        let (x, y) = (left + SIDE * tenth / 10, corner - SIDE * tenth / 10);
        writes(&mut plot, &text(x, corner + 16, "middle", &share));
        writes(&mut plot, &text(left - 6, y + 4, "end", &share));
    }
    writes(&mut plot, &text(left + SIDE / 2, corner + 34, "middle", "probability stated"));
    writes(&mut plot, &text(left, top - 8, "middle", "share found"));
    for (row, ((name, read), ink)) in labels.iter().zip(INK).enumerate() {
        let mut line = String::new();
        for (stated, found, count) in bins(read) {
            let (x, y) = (10 * left + 10 * SIDE * stated / MICRO, 10 * corner - 10 * SIDE * found / MICRO);
            let radius = (900 * count / read.len() as u64).isqrt() + 20;
            let point = format!("{},{}", tenths(x), tenths(y));
            let _ = write!(line, "{}{point}", if line.is_empty() { "" } else { " " });
            let (x, y, radius) = (tenths(x), tenths(y), tenths(radius));
            writes(&mut plot, &format!(r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="{ink}"/>"#));
        }
        writes(&mut plot, &format!(r#"<polyline points="{line}" fill="none" stroke="{ink}"/>"#));
        let about = format!("{name}: error {}, Brier {}", thousandths(error(read)), thousandths(brier(read)));
        let y = corner + 52 + 16 * row as u64;
        writes(&mut plot, &format!(r#"<text x="{left}" y="{y}" fill="{ink}">{about}</text>"#));
    }
    svg(left + SIDE + 24, corner + 44 + 16 * labels.len() as u64, title, &plot)
}

/// Rows are what is there, columns what the model answers.
pub(super) fn confusion(title: &str, classes: &[&str], counts: &[Vec<u64>]) -> String {
    let (left, top, cell) = (96, 56, 72);
    let mut plot = text(left + cell * classes.len() as u64 / 2, 34, "middle", "answered");
    plot.push('\n');
    for (at, class) in (0..).zip(classes) {
        writes(&mut plot, &text(left + cell * at + cell / 2, top - 6, "middle", class));
        writes(&mut plot, &text(left - 8, top + cell * at + cell / 2 + 4, "end", class));
    }
    for (y, row) in (0..).zip(counts) {
        let all = row.iter().sum::<u64>().max(1);
        for (x, &count) in (0..).zip(row) {
            let (left, top) = (left + cell * x, top + cell * y);
            let share = 100 * count / all;
            let fill = format!(r##"fill="#1f5fa8" fill-opacity="0.{:02}""##, share * 3 / 4);
            writes(
                &mut plot,
                &format!(r##"<rect x="{left}" y="{top}" width="{cell}" height="{cell}" {fill} stroke="#444"/>"##),
            );
            writes(&mut plot, &text(left + cell / 2, top + cell / 2 + 4, "middle", &count.to_string()));
        }
    }
    let side = cell * classes.len() as u64;
    svg(left + side + 24, top + side + 16, title, &plot)
}

/// For each tenth with files in it: mean probability and share that is there, in millionths, and how many files.
fn bins(read: &[(u32, bool)]) -> Vec<(u64, u64, u64)> {
    let mut held: BTreeMap<u64, (u64, u64, u64)> = BTreeMap::new();
    for &(stated, there) in read {
        let stated = u64::from(stated);
        let bin = held.entry((stated * BINS / MICRO).min(BINS - 1)).or_default();
        *bin = (bin.0 + stated, bin.1 + u64::from(there), bin.2 + 1);
    }
    held.into_values().map(|(stated, found, count)| (stated / count, MICRO * found / count, count)).collect()
}

/// Expected calibration error: by how much stated and found differ, weighed by files, in millionths.
fn error(read: &[(u32, bool)]) -> u64 {
    let sum: u64 = bins(read).iter().map(|&(stated, found, count)| stated.abs_diff(found) * count).sum();
    sum / read.len().max(1) as u64
}

/// Mean squared distance of the probability from what is there, in millionths.
fn brier(read: &[(u32, bool)]) -> u64 {
    let square = |&(stated, there): &(u32, bool)| u64::from(stated).abs_diff(u64::from(there) * MICRO).pow(2) / MICRO;
    read.iter().map(square).sum::<u64>() / read.len().max(1) as u64
}

fn tenths(number: u64) -> String {
    format!("{}.{}", number / 10, number % 10)
}

fn thousandths(micro: u64) -> String {
    format!("0.{:03}", (micro + 500) / 1000)
}

fn text(x: u64, y: u64, anchor: &str, what: &str) -> String {
    format!(r#"<text x="{x}" y="{y}" text-anchor="{anchor}">{what}</text>"#)
}

fn writes(plot: &mut String, line: &str) {
    plot.push_str(line);
    plot.push('\n');
}

fn svg(width: u64, height: u64, title: &str, body: &str) -> String {
    let head = format!(
        r#"xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}""#
    );
    let font = r##"font-family="sans-serif" font-size="12" fill="#222""##;
    let title = format!("<title>{title}</title>");
    format!("<svg {head} {font}>\n{title}\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stated_and_what_is_found() {
        // Stated 20 %, found one of four; stated 90 % and 100 %, found both.
        let read =
            [(200_000, true), (200_000, false), (200_000, false), (200_000, false), (900_000, true), (1_000_000, true)];
        assert_eq!(bins(&read), [(200_000, 250_000, 4), (950_000, 1_000_000, 2)]);
        assert_eq!(error(&read), 50_000);
        assert_eq!(brier(&read), (640_000 + 3 * 40_000 + 10_000) / 6);
        assert_eq!((error(&[]), brier(&[])), (0, 0));
    }

    #[test]
    fn pictures_show_the_numbers() {
        let one = calibration("t", &[("sick", vec![(250_000, true), (250_000, false)])]);
        // A quarter to the right of 48, half way up from 272.
        assert!(one.contains(r#"<circle cx="108.0" cy="152.0" r="5.0""#), "{one}");
        assert!(one.contains("sick: error 0.250, Brier 0.313"), "{one}");
        let two = confusion("t", &["sick", "well"], &[vec![39, 3], vec![20, 94]]);
        for count in ["39", "3", "20", "94"] {
            assert!(two.contains(&format!(">{count}</text>")), "{two}");
        }
        assert!(one.ends_with("</svg>\n") && two.matches("<rect").count() == 5);
    }
}
