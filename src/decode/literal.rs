//! Python's notation for objects (`{'a': None, 'b': [True, "it's"]}`), which is what `str()` makes of a
//! column of objects.

/// Converts it to JSON; `None` if it is something else.
pub(super) fn json(text: &str) -> Option<String> {
    let (mut out, mut rest) = (String::with_capacity(text.len() + 16), text);
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '\'' | '"' => string(first, rest.get(1..)?, &mut out)?,
            letter if letter.is_ascii_alphabetic() => {
                let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
                let (word, behind) = rest.split_at_checked(length)?;
                out.push_str(match word {
                    "None" | "null" | "nan" => "null",
                    "True" | "true" => "true",
                    "False" | "false" => "false",
                    _ => return None,
                });
                behind
            }
            '0'..='9' | '-' => {
                // Numbers are the same in both notations, including the letter of an exponent.
                let length = rest
                    .bytes()
                    .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
                    .count();
                let (number, behind) = rest.split_at_checked(length)?;
                out.push_str(number);
                behind
            }
            '{' | '}' | '[' | ']' | ':' | ',' | ' ' | '\n' | '\t' | '\r' => {
                out.push(first);
                rest.get(1..)?
            }
            _ => return None,
        };
    }
    let bytes = out.as_bytes();
    super::json::skip_value(bytes, 0).is_ok_and(|end| end == bytes.len()).then_some(out)
}

/// Converts a string up to its closing quote; returns what follows.
fn string<'t>(quote: char, text: &'t str, out: &mut String) -> Option<&'t str> {
    let mut said = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => {
                out.push_str(&serde_json::to_string(&said).ok()?);
                return text.get(at + 1..);
            }
            '\\' => match letters.next()?.1 {
                'n' => said.push('\n'),
                't' => said.push('\t'),
                'r' => said.push('\r'),
                escaped @ ('\'' | '"' | '\\') => said.push(escaped),
                kind @ ('x' | 'u' | 'U') => {
                    let digits = match kind {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    let hex: String =
                        (0..digits).map_while(|_| letters.next()).map(|(_, digit)| digit).collect();
                    said.push(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32)?);
                }
                _ => return None,
            },
            _ => said.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn python_and_json_mean_the_same() {
        assert_eq!(
            json(r#"{'a': 'it\'s', "b": "c", 'd': [1, -2.5e3, None, True, False], 'e': {}}"#).as_deref(),
            Some(r#"{"a": "it's", "b": "c", "d": [1, -2.5e3, null, true, false], "e": {}}"#)
        );
        assert_eq!(json(r"{'a': '\x41\u00e9\n'}").as_deref(), Some(r#"{"a": "Aé\n"}"#));
        for other in ["{'a': Nope}", "{'a'", "{'a': 1", "{a=1}", "{'a': datetime(1)}"] {
            assert_eq!(json(other), None, "{other}");
        }
    }
}
