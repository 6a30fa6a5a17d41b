//! Patterns as in KEYS and SCAN: `*`, `?`, `[a-z]`, `[^a-z]` and `\` before a byte to mean it.

/// Whether the whole of `text` matches `pattern`, letters by their case.
///
/// *Cost*: O(bytes of the pattern times bytes of the text), whatever the pattern. Only the latest `*`
/// is ever taken up again: what a former one could still take, the latest can as well.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = p {
            p = rest;
            retry = Some((rest, t));
            continue;
        }
        let step = match (p, t) {
            ([], []) => return true,
            ([], _) | (_, []) => None,
            (_, [byte, t_rest @ ..]) => match_one(p, *byte).map(|p_rest| (p_rest, t_rest)),
        };
        (p, t) = match (step, retry) {
            (Some(next), _) => next,
            (None, Some((p_star, [_, t_rest @ ..]))) => {
                retry = Some((p_star, t_rest));
                (p_star, t_rest)
            }
            (None, _) => return false,
        };
    }
}

/// Matches `byte` with the first element of `pattern`, which is neither empty nor a `*`; returns what
/// follows the element.
fn match_one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', b'^', rest @ ..] => match_class(rest, byte, false),
        [b'[', rest @ ..] => match_class(rest, byte, true),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

/// Matches `byte` with the class whose inside starts `class`. A class that is not closed ends with
/// the pattern.
fn match_class(mut class: &[u8], byte: u8, wanted: bool) -> Option<&[u8]> {
    let mut found = false;
    loop {
        class = match class {
            [] => break,
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => {
                class = rest;
                break;
            }
            [low, b'-', high, rest @ ..] => {
                found |= (*low.min(high)..=*low.max(high)).contains(&byte);
                rest
            }
            [literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
        };
    }
    (found == wanted).then_some(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let yes = [
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abbc"),
            ("a?c", "abc"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[a-c]llo", "hbllo"),
            ("h[c-a]llo", "hbllo"),
            ("\\*", "*"),
            ("a*b*c*d", "axbxxcxd"),
            ("**a**", "xxaxx"),
            ("[a", "a"),
            ("[\\]]", "]"),
            ("", ""),
            ("*[ab]", "xxb"),
            ("a\\", "a\\"),
            ("[a-]", "^"),
        ];
        for (pattern, text) in yes {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        let no = [
            ("", "a"),
            ("a", ""),
            ("a?c", "ac"),
            ("h[^e]llo", "hello"),
            ("a*c", "abcd"),
            ("\\*", "a"),
            ("?", ""),
            ("[]", "]"),
            ("A", "a"),
            ("*b", "ba"),
        ];
        for (pattern, text) in no {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = [b"*a".repeat(500), b"*b".to_vec()].concat();
        assert!(!matches(&pattern, &b"a".repeat(5000)));
    }
}
