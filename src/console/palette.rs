//! The colours of the tones: for dark and light terminals with all colours, and for those with sixteen.

use ratatui::style::Color;

use super::theme::Tone;

/// The tones that have a colour, in the order a palette keeps them.
const TONES: [Tone; 6] = [Tone::Good, Tone::Bad, Tone::Warn, Tone::Note, Tone::Key, Tone::Value];

/// A colour for each tone that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Palette([Color; TONES.len()]);

impl Palette {
    /// The sixteen every terminal has, on a dark background.
    pub(crate) const SIXTEEN: Self = Self([Color::Green, Color::Red, Color::Yellow, Color::Cyan, Color::Cyan, Color::Magenta]);
    /// The same on a light one, where yellow and cyan can't be read.
    pub(crate) const SIXTEEN_ON_LIGHT: Self =
        Self([Color::Green, Color::Red, Color::Magenta, Color::Blue, Color::Blue, Color::Magenta]);
    /// On dark backgrounds; each has a contrast of at least 4.5 to #303030.
    pub(crate) const DARK: Self = Self([
        Color::Rgb(0x7f, 0xd8, 0x8f),
        Color::Rgb(0xff, 0x7b, 0x72),
        Color::Rgb(0xf0, 0xc6, 0x74),
        Color::Rgb(0x79, 0xc0, 0xff),
        Color::Rgb(0x56, 0xd4, 0xdd),
        Color::Rgb(0xd2, 0xa8, 0xff),
    ]);
    /// On light backgrounds; each has a contrast of at least 4.5 to #f0f0f0.
    pub(crate) const LIGHT: Self = Self([
        Color::Rgb(0x0b, 0x62, 0x22),
        Color::Rgb(0xb3, 0x1d, 0x1d),
        Color::Rgb(0x7d, 0x4e, 0x00),
        Color::Rgb(0x05, 0x50, 0xae),
        Color::Rgb(0x00, 0x5f, 0x73),
        Color::Rgb(0x6e, 0x2a, 0xa5),
    ]);

    fn place(tone: Tone) -> Option<usize> {
        let tone = if tone == Tone::Cap { Tone::Key } else { tone };
        TONES.iter().position(|t| *t == tone)
    }

    /// The colour of a tone; `None` is the terminal's own.
    pub(crate) fn of(&self, tone: Tone) -> Option<Color> {
        self.0.get(Self::place(tone)?).copied()
    }

    pub(crate) fn set(&mut self, tone: Tone, colour: Color) {
        if let Some(own) = Self::place(tone).and_then(|place| self.0.get_mut(place)) {
            *own = colour;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, as WCAG 2 has it.
    fn luminance(r: u8, g: u8, b: u8) -> f64 {
        let part = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.03928 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)
    }

    #[rstest::rstest]
    #[case(Palette::DARK, 0x30)]
    #[case(Palette::LIGHT, 0xf0)]
    fn every_colour_can_be_read_on_its_background(#[case] palette: Palette, #[case] grey: u8) {
        let behind = luminance(grey, grey, grey);
        for colour in palette.0 {
            let Color::Rgb(r, g, b) = colour else { panic!("{colour}") };
            let own = luminance(r, g, b);
            let contrast = (own.max(behind) + 0.05) / (own.min(behind) + 0.05);
            assert!(contrast >= 4.5, "{colour}: {contrast:.2}");
        }
    }
}
