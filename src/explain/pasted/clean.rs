//! Removes what terminals, chats, browsers and encoders add to a text.

/// Undoes colours, entities, escapes and percent-encoding. Line breaks stay; whether they are from wrapping
/// is decided later.
pub(super) fn cleaned(text: &str) -> String {
    let text = without_colours(text);
    let text = without_escapes(&text);
    let text = without_entities(&text);
    without_percents(&text).chars().filter_map(plain).collect()
}

/// Typographic quotes and spaces become plain ones; invisible characters are left out.
fn plain(letter: char) -> Option<char> {
    match letter {
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => Some('"'),
        '\u{2018}' | '\u{2019}' | '\u{201a}' => Some('\''),
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\t' => Some(' '),
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{202a}'..='\u{202e}' => None,
        '\r' => None,
        '\u{2028}' | '\u{2029}' => Some('\n'),
        _ => Some(letter),
    }
}

/// Removes terminal escape sequences, as they are and as logs and JSON write them.
fn without_colours(text: &str) -> String {
    const INTRODUCERS: [&str; 9] =
        ["\u{1b}[", "\u{9b}", "\\u001b[", "\\u001B[", "\\x1b[", "\\x1B[", "\\033[", "\\e[", "^[["];
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    while !rest.is_empty() {
        let introducer = INTRODUCERS.iter().find(|introducer| rest.starts_with(**introducer));
        if let Some(sequence) = introducer.and_then(|introducer| rest.strip_prefix(*introducer)) {
            let parameters = sequence
                .find(|letter: char| !matches!(letter, '0'..='9' | ';' | ':' | '?' | ' '))
                .unwrap_or(sequence.len());
            let ends = sequence[parameters..].chars().next().filter(char::is_ascii_alphabetic);
            if let Some(end) = ends {
                rest = &sequence[parameters + end.len_utf8()..];
                continue;
            }
        }
        // Titles and links: up to BEL or ST.
        if let Some(sequence) = rest.strip_prefix("\u{1b}]") {
            let end = [sequence.find('\u{7}').map(|at| at + 1), sequence.find("\u{1b}\\").map(|at| at + 2)]
                .into_iter()
                .flatten()
                .min();
            if let Some(end) = end {
                rest = &sequence[end..];
                continue;
            }
        }
        let Some(letter) = rest.chars().next() else { break };
        clean.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    clean
}

/// `\/`, `\"`, `\u002f`, `\_`: escapes of JSON, YAML and Markdown. A written `
/// ` becomes a line break; a backslash at the end of a line joins it with the next.
fn without_escapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            clean.push(letter);
            continue;
        }
        match letters.peek().copied() {
            Some('\\') => {
                // Escaped twice, as text in JSON in JSON: what follows is examined again.
                while letters.peek() == Some(&'\\') {
                    letters.next();
                }
                match letters.next() {
                    Some('n') => clean.push('\n'),
                    Some('r' | 't') | None => clean.push(' '),
                    Some(other) => clean.push(other),
                }
            }
            Some(space @ ('n' | 'r' | 't')) => {
                letters.next();
                clean.push(if space == 'n' { '\n' } else { ' ' });
            }
            Some('\n') => {
                while letters.peek().is_some_and(|letter| letter.is_whitespace()) {
                    letters.next();
                }
            }
            Some('u' | 'x') => match coded(&letters.clone().take(5).collect::<String>()) {
                Some((letter, length)) => {
                    clean.push(letter);
                    letters.nth(length - 1);
                }
                None => clean.push('\\'),
            },
            Some(sign) if sign.is_ascii_punctuation() => {}
            _ => clean.push('\\'),
        }
    }
    clean
}

/// The character of `u002f` or `x2f`, and its length.
fn coded(text: &str) -> Option<(char, usize)> {
    let digits = if text.starts_with('u') { 4 } else { 2 };
    let code = u32::from_str_radix(text.get(1..=digits)?, 16).ok()?;
    char::from_u32(code).map(|letter| (letter, digits + 1))
}

fn without_entities(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        clean.push_str(before);
        let entity = behind
            .split_once(';')
            .filter(|(name, _)| name.len() <= 8)
            .and_then(|(name, after)| Some((of_entity(name)?, after)));
        match entity {
            Some((letter, after)) => {
                // `&amp;quot;` was escaped twice.
                let again = if letter == '&' {
                    after.split_once(';').and_then(|(name, after)| Some((of_entity(name)?, after)))
                } else {
                    None
                };
                let (letter, after) = again.unwrap_or((letter, after));
                clean.push(letter);
                rest = after;
            }
            None => {
                clean.push('&');
                rest = behind;
            }
        }
    }
    clean.push_str(rest);
    clean
}

fn of_entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "sol" => '/',
        "colon" => ':',
        "commat" => '@',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

/// Decodes `%3A` and the like, also if encoded twice. Only ASCII: names of images contain nothing else.
fn without_percents(text: &str) -> String {
    let decoded = |text: &str| {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('%') {
            clean.push_str(before);
            let code = behind
                .get(..2)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .filter(|code| matches!(code, 0x20..=0x7e));
            clean.push(code.map_or('%', char::from));
            rest = if code.is_some() { &behind[2..] } else { behind };
        }
        clean.push_str(rest);
        clean
    };
    decoded(&decoded(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_leave_behind_goes_and_the_rest_stays() {
        for (text, expected) in [
            ("a:\u{1b}[1;31mv1\u{1b}[0m@b", "a:v1@b"),
            ("a:\\u001b[1mv1\\x1b[0m \\033[0K", "a:v1 "),
            ("\u{1b}]8;;http://x\u{7}a:v1\u{1b}]8;;\u{7}", "a:v1"),
            (r#"{\"m\":\"a\/b\u003av1\"}"#, r#"{"m":"a/b:v1"}"#),
            (r#"\\\"a/b:v1\\\" not\nfound"#, "\"a/b:v1\" not\nfound"),
            ("a/b\\_c:v1", "a/b_c:v1"),
            ("a/b\\\n    c:v1", "a/bc:v1"),
            ("&quot;a&#x2F;b&#58;v1&quot; &amp;quot;x&amp;quot; a&b", "\"a/b:v1\" \"x\" a&b"),
            ("a%2Fb%3Av1 a%252Fb 100%", "a/b:v1 a/b 100%"),
            ("\u{201c}a/b:v1\u{201d}\u{200b}", "\"a/b:v1\""),
            ("[1] a \\ b", "[1] a \\ b"),
        ] {
            assert_eq!(cleaned(text), expected, "{text}");
        }
    }
}
