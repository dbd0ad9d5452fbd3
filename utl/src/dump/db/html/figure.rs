//! What the figures share: their frame, and rectangles with a text that shows when they are pointed
//! at.

use super::text::Escaped;
use std::fmt::Write;

/// Width of all figures, in their own units; a browser scales them to the page.
pub(super) const WIDTH: f64 = 960.0;

/// A figure under way.
pub(super) struct Figure {
    text: String,
}

impl Figure {
    /// Begins one. `id` is its own on the page; `title` and `description` are for those who don't
    /// see it.
    pub(super) fn new(id: &str, title: &str, description: &str, height: f64) -> Figure {
        let (title, description) = (Escaped(title), Escaped(description));
        let text = format!(
            "<svg id=\"{id}\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-text\">\n\
             <title id=\"{id}-title\">{title}</title>\n\
             <desc id=\"{id}-text\">{description}</desc>\n"
        );
        Figure { text }
    }

    /// A rectangle of a class. `amount` is the number that it stands for.
    pub(super) fn bar(&mut self, class: &str, place: Place, amount: u64, tip: &str) {
        let Place { x, y, width, height } = place;
        let tip = Escaped(tip);
        add(
            &mut self.text,
            format_args!(
                "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" \
                 height=\"{height:.2}\" data-amount=\"{amount}\"><title>{tip}</title></rect>\n"
            ),
        );
    }

    /// A line of a class.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        add(
            &mut self.text,
            format_args!(
                "<line class=\"{class}\" x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" \
                 y2=\"{y2:.2}\"/>\n"
            ),
        );
    }

    /// Text, whose `anchor` is `start`, `middle` or `end`.
    pub(super) fn label(&mut self, anchor: &str, (x, y): (f64, f64), label: &str) {
        let label = Escaped(label);
        add(
            &mut self.text,
            format_args!(
                "<text x=\"{x:.2}\" y=\"{y:.2}\" text-anchor=\"{anchor}\">{label}</text>\n"
            ),
        );
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.text + "</svg>\n"
    }
}

/// Where a rectangle is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Appends to text, which can't fail.
pub(super) fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("writing into memory succeeds");
}

/// `part` of `whole` as a length of at most `length`.
pub(super) fn scaled(part: u64, whole: u64, length: f64) -> f64 {
    length * (part as f64 / whole.max(1) as f64).min(1.0)
}
