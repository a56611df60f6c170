//! `tagPatternList`: `*` matches any text, also the empty one; every other character matches itself.

/// Whether `pattern` matches the whole of `text`. Linear in the text for each star: there is no
/// backtracking to an earlier star.
pub fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text) in [
            ("prod", "prod"),
            ("prod*", "prod"),
            ("prod*", "prod-1"),
            ("*prod*", "a-prod-b"),
            ("*", ""),
            ("a*b*c", "abbc"),
            ("*ab", "aab"),
            ("a**b", "ab"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("prod", "prod-1"),
            ("prod*", "xprod"),
            ("a*a", "a"),
            ("*ab", "abx"),
            ("", "a"),
            ("a?c", "abc"),
            ("ab*bc", "abc"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
