//! Names within sentences: one that is written from right to left, or holds a control of direction,
//! must turn nothing around it. Text with an element to itself needs none of this: `dir="auto"`, or `bdi`.

use maud::{Markup, html};

/// FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE.
const OPEN: char = '\u{2068}';
const CLOSE: char = '\u{2069}';

/// Controls that embed, override or isolate a direction (UAX #9), which players may have typed.
fn is_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Without controls of direction: for sinks that show nothing but this text.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !is_control(*c)).collect()
}

/// For a place in a sentence, as text. ASCII has one direction, as the languages of the pages have.
pub(crate) fn isolated(text: &str) -> String {
    let plain = plain(text);
    if plain.is_ascii() { plain } else { format!("{OPEN}{plain}{CLOSE}") }
}

/// The text isolated whatever it is of, so that it can be found again in a sentence.
pub(crate) fn marked(text: &str) -> String {
    format!("{OPEN}{}{CLOSE}", plain(text))
}

/// A sentence with isolated names, as markup.
pub(crate) fn told(sentence: &str) -> Markup {
    html! {
        @for (n, part) in sentence.split(OPEN).enumerate() {
            @match part.split_once(CLOSE) {
                Some((name, after)) if n > 0 => { bdi { (name) } (after) }
                _ => (part),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_turns_nothing_around_it() {
        assert_eq!(isolated("Mochi"), "Mochi");
        assert_eq!(isolated("\u{202e}مشمش\u{2069}"), "\u{2068}مشمش\u{2069}");
        let sentence = format!("A post by {} and {} <3", isolated("مشمش"), isolated("Mochi"));
        assert_eq!(told(&sentence).into_string(), "A post by <bdi>مشمش</bdi> and Mochi &lt;3");
        assert_eq!(plain("a\u{202e}b"), "ab");
    }
}
