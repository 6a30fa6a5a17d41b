//! Inline requests: a line of words, quoted as Redis quotes them.

use std::ops::Range;

/// The quotes of an inline request do not pair up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unbalanced;

/// Splits `line` into words. Their bytes are appended to `words`, their places there to `ranges`.
///
/// A word may hold parts in double quotes, where `\n \r \t \b \a`, `\xHH` and `\` before any other
/// byte are escapes, and parts in single quotes, where only `\'` is. A closing quote ends the word.
pub(super) fn split_words(
    line: &[u8],
    words: &mut Vec<u8>,
    ranges: &mut Vec<Range<usize>>,
) -> Result<(), Unbalanced> {
    let mut rest = line;
    loop {
        while let [first, tail @ ..] = rest
            && is_blank(*first)
        {
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let start = words.len();
        rest = take_word(rest, words)?;
        ranges.push(start..words.len());
    }
}

/// Appends the word at the start of `rest`, which is not blank, and returns what follows it.
fn take_word<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        match rest {
            // Redis takes lines as C strings: a zero byte ends the word.
            [] => return Ok(rest),
            [blank, tail @ ..] if is_blank(*blank) || *blank == 0 => return Ok(tail),
            [b'"', tail @ ..] => return after_quote(take_double_quoted(tail, words)?),
            [b'\'', tail @ ..] => return after_quote(take_single_quoted(tail, words)?),
            [byte, tail @ ..] => {
                words.push(*byte);
                rest = tail;
            }
        }
    }
}

/// A closing quote must be followed by a blank or by the end of the line.
fn after_quote(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest {
        [] => Ok(rest),
        [blank, ..] if is_blank(*blank) => Ok(rest),
        _ => Err(Unbalanced),
    }
}

fn take_double_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        match rest {
            [] => return Err(Unbalanced),
            [b'"', tail @ ..] => return Ok(tail),
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                words.push(hex_value(*high) << 4 | hex_value(*low));
                rest = tail;
            }
            [b'\\', escaped, tail @ ..] => {
                words.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest = tail;
            }
            [byte, tail @ ..] => {
                words.push(*byte);
                rest = tail;
            }
        }
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        match rest {
            [] => return Err(Unbalanced),
            [b'\'', tail @ ..] => return Ok(tail),
            [b'\\', b'\'', tail @ ..] => {
                words.push(b'\'');
                rest = tail;
            }
            [byte, tail @ ..] => {
                words.push(*byte);
                rest = tail;
            }
        }
    }
}

/// What C's `isspace` calls a space.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

const fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Result<Vec<Vec<u8>>, Unbalanced> {
        let (mut words, mut ranges) = (Vec::new(), Vec::new());
        split_words(line.as_bytes(), &mut words, &mut ranges)?;
        Ok(ranges.into_iter().map(|range| words[range].to_vec()).collect())
    }

    #[test]
    fn words_and_quotes() {
        assert_eq!(split("  set  a b ").unwrap(), [b"set".to_vec(), b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(split(r#""a b" 'c d'"#).unwrap(), [b"a b".to_vec(), b"c d".to_vec()]);
        assert_eq!(
            split(r#""\x41\n\q\"" '\'\n'"#).unwrap(),
            [b"A\nq\"".to_vec(), b"'\\n".to_vec()]
        );
        assert_eq!(split(r#"a"b c""#).unwrap(), [b"ab c".to_vec()]);
        assert_eq!(split(r#""""#).unwrap(), [b"".to_vec()]);
        assert!(split("").unwrap().is_empty());
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [r#"""#, "'", r#""a"b"#, "'a'b", r#""a\"#, r#"get "a"#] {
            assert_eq!(split(line), Err(Unbalanced), "{line}");
        }
    }
}
