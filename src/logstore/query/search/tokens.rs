//! How a text falls into words, and which texts a search finds.

use super::ast::Test;

/// How the values of a field, or of a log, fall into words.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Words {
    /// Characters between words; none makes the whole value one word.
    pub delimiters: Vec<char>,
    /// Whether `A` differs from `a`.
    pub is_case_sensitive: bool,
    /// Whether each Chinese character is a word of its own.
    pub is_chinese: bool,
}

impl Words {
    /// The whole value as one word, in whatever case.
    pub fn whole() -> Self {
        Self {
            delimiters: Vec::new(),
            is_case_sensitive: false,
            is_chinese: false,
        }
    }

    /// Words between spaces and most signs, but neither `.` nor `-`.
    pub fn usual() -> Self {
        Self {
            delimiters: DELIMITERS.chars().collect(),
            ..Self::whole()
        }
    }

    /// The words of `text`, in order.
    fn split<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let mut rest = text;
        std::iter::from_fn(move || {
            if self.delimiters.is_empty() && !self.is_chinese {
                return (!rest.is_empty()).then(|| std::mem::take(&mut rest));
            }
            rest = rest.trim_start_matches(|character| self.divides(character));
            let first = rest.chars().next()?;
            let is_alone = |character| self.is_chinese && is_chinese(character);
            let end = match is_alone(first) {
                true => first.len_utf8(),
                false => rest
                    .find(|character| self.divides(character) || is_alone(character))
                    .unwrap_or(rest.len()),
            };
            let (word, after) = rest.split_at_checked(end)?;
            rest = after;
            Some(word)
        })
    }

    fn divides(&self, character: char) -> bool {
        self.delimiters.contains(&character)
    }
}

/// Finds the texts that fulfil a test.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Matcher {
    words: Words,
    needs: Needs,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Needs {
    /// Each of these is among the words.
    All(Vec<Piece>),
    /// These words follow each other.
    InOrder(Vec<String>),
}

/// A word to look for, in small letters where case does not matter.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Piece {
    Word(String),
    /// `*` is any characters, `?` is one.
    Pattern(Vec<char>),
}

impl Matcher {
    /// None if the test is not about words, or asks for none at all.
    pub(super) fn new(test: &Test, words: &Words) -> Option<Self> {
        let folded = |word: &str| match words.is_case_sensitive {
            true => word.to_owned(),
            false => word.to_lowercase(),
        };
        let needs = match test {
            Test::Words(text) => {
                let pieces = words.split(text).map(|word| Piece::Word(folded(word)));
                Needs::All(pieces.collect())
            }
            Test::Pattern(text) => {
                // Its wildcards are not signs, whatever divides words.
                let mut around = words.clone();
                around.delimiters.retain(|sign| !WILDCARDS.contains(sign));
                let pieces = around.split(text).map(|word| piece(&folded(word)));
                Needs::All(pieces.collect())
            }
            Test::Phrase(text) => Needs::InOrder(words.split(text).map(folded).collect()),
            Test::Exists | Test::Empty | Test::Compare(_, _) | Test::Between(_, _) => return None,
        };
        let is_empty = match &needs {
            Needs::All(pieces) => pieces.is_empty(),
            Needs::InOrder(pieces) => pieces.is_empty(),
        };
        let words = words.clone();
        (!is_empty).then_some(Self { words, needs })
    }

    /// Whether `text` fulfils it.
    pub(super) fn finds(&self, text: &str) -> bool {
        match &self.needs {
            Needs::All(pieces) => pieces
                .iter()
                .all(|piece| self.words.split(text).any(|word| self.is(word, piece))),
            Needs::InOrder(phrase) => {
                let found: Vec<&str> = self.words.split(text).collect();
                found.windows(phrase.len()).any(|window| {
                    let mut pairs = window.iter().zip(phrase);
                    pairs.all(|(word, wanted)| self.equals(word, wanted))
                })
            }
        }
    }

    /// The one word that a whole value must be, if case plays no part in it.
    pub(super) fn exactly(&self) -> Option<&str> {
        let word = match &self.needs {
            Needs::All(pieces) => match pieces.as_slice() {
                [Piece::Word(word)] => word,
                _ => return None,
            },
            Needs::InOrder(words) => match words.as_slice() {
                [word] => word,
                _ => return None,
            },
        };
        let is_whole = self.words.delimiters.is_empty() && !self.words.is_chinese;
        let has_case = word.chars().any(char::is_alphabetic);
        (is_whole && (self.words.is_case_sensitive || !has_case)).then_some(word)
    }

    fn is(&self, word: &str, piece: &Piece) -> bool {
        match piece {
            Piece::Word(wanted) => self.equals(word, wanted),
            Piece::Pattern(pattern) if self.words.is_case_sensitive => is_like(word, pattern),
            Piece::Pattern(pattern) => is_like(&word.to_lowercase(), pattern),
        }
    }

    fn equals(&self, word: &str, wanted: &str) -> bool {
        if self.words.is_case_sensitive {
            return word == wanted;
        }
        match word.is_ascii() {
            true => word.eq_ignore_ascii_case(wanted),
            false => word.to_lowercase() == wanted,
        }
    }
}

fn piece(word: &str) -> Piece {
    match word.contains(WILDCARDS) {
        true => Piece::Pattern(word.chars().collect()),
        false => Piece::Word(word.to_owned()),
    }
}

/// Whether all of `word` is like `pattern`. Only the last `*` is ever tried
/// again, so that the work is at most their lengths multiplied.
fn is_like(word: &str, pattern: &[char]) -> bool {
    let mut rest = word.chars();
    let mut next = 0;
    // Where to go on after the last star, and with what.
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let before = rest.clone();
        match (pattern.get(next), rest.next()) {
            (Some('*'), _) => {
                rest = before;
                next += 1;
                retry = Some((next, rest.clone()));
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => next += 1,
            (Some(wanted), Some(character)) if *wanted == character => next += 1,
            _ => {
                let Some((star, from)) = &mut retry else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                (next, rest) = (*star, from.clone());
            }
        }
    }
}

/// CJK Unified Ideographs, the extension A and the compatibility forms.
fn is_chinese(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}')
}

const WILDCARDS: [char; 2] = ['*', '?'];
/// What SLS divides words at unless told otherwise.
const DELIMITERS: &str = ", '\";=()[]{}?@&<>/:\n\t\r";

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(test: Test, words: &Words, text: &str) -> bool {
        Matcher::new(&test, words).unwrap().finds(text)
    }

    #[test]
    fn words_are_found_in_any_order_and_phrases_in_theirs() {
        let usual = Words::usual();
        let words = |text: &str| Test::Words(text.to_owned());
        let phrase = |text: &str| Test::Phrase(text.to_owned());
        assert!(finds(words("b a"), &usual, "a (B) c"));
        assert!(!finds(words("a d"), &usual, "a b c"));
        assert!(finds(phrase("a b"), &usual, "x a/B c"));
        assert!(!finds(phrase("a c"), &usual, "a b c"));
        assert!(!finds(words("10.0"), &usual, "10.0.0.1"));
        assert!(!finds(words("a"), &Words::whole(), "a b"));
        assert!(finds(words("A b"), &Words::whole(), "a B"));
        let mut strict = Words::usual();
        strict.is_case_sensitive = true;
        assert!(!finds(words("A"), &strict, "a b"));
        strict.is_chinese = true;
        assert!(finds(words("流"), &strict, "网络流量a"));
        assert!(finds(words("a"), &strict, "网络流量a"));
        assert!(!finds(phrase("网流"), &strict, "网络流量"));
    }

    #[test]
    fn wildcards_stay_within_a_word() {
        let like = |pattern: &str, text: &str| {
            finds(Test::Pattern(pattern.to_owned()), &Words::usual(), text)
        };
        assert!(like("eth*", "eth0 up"));
        assert!(like("e?h*0", "ETH10"));
        assert!(!like("eth?", "eth10"));
        assert!(like("eth?", "eth1 0"));
        assert!(!like("e*p", "eth0 up"));
        assert!(like("a*b*c", "aXbXbYc"));
        assert!(!like("a*b*c", "aXbXbYcd"));
        assert!(like("a*", "a"));
        assert!(!like("a?", "a"));
        assert!(like("eth?:up*", "upper eth9"));
    }

    #[test]
    fn a_pattern_of_stars_does_not_take_for_ever() {
        let pattern = Test::Pattern(format!("a{}b", "*a".repeat(100)));
        let matcher = Matcher::new(&pattern, &Words::whole()).unwrap();
        assert!(!matcher.finds(&"a".repeat(20_000)));
    }

    #[test]
    fn only_signs_are_nothing_to_look_for() {
        assert_eq!(
            Matcher::new(&Test::Words("::".to_owned()), &Words::usual()),
            None
        );
        let whole = Matcher::new(&Test::Words("::".to_owned()), &Words::whole());
        assert_eq!(whole.as_ref().and_then(Matcher::exactly), Some("::"));
        let letters = Matcher::new(&Test::Words("eth0".to_owned()), &Words::whole());
        assert_eq!(letters.as_ref().and_then(Matcher::exactly), None);
    }
}
