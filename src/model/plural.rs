//! Numbers of things in sentences.

use std::fmt::Display;

/// `1 pull`, `3 pulls`, for words whose plural adds an s.
pub fn plural<N: Copy + PartialEq + From<u8> + Display>(number: N, one: &str) -> String {
    if number == N::from(1) { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// `once`, `twice`, `3 times`.
pub fn times<N: Copy + PartialEq + From<u8> + Display>(number: N) -> String {
    match number {
        number if number == N::from(1) => "once".to_owned(),
        number if number == N::from(2) => "twice".to_owned(),
        number => format!("{number} times"),
    }
}

/// `1 deployment needs`, `3 deployments need`: the number, the word, and its verb.
pub fn plural_verb<N: Copy + PartialEq + From<u8> + Display>(
    number: N,
    one: &str,
    verb: [&str; 2],
) -> String {
    format!("{} {}", plural(number, one), verb[usize::from(number != N::from(1))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            [plural(0_u64, "pull"), plural(1_u64, "pull"), plural(2_u64, "pull")],
            ["0 pulls", "1 pull", "2 pulls"]
        );
        assert_eq!([times(1_usize), times(2_usize), times(30_usize)], ["once", "twice", "30 times"]);
        assert_eq!(plural_verb(1_u32, "job", ["needs", "need"]), "1 job needs");
        assert_eq!(plural_verb(2_u32, "job", ["needs", "need"]), "2 jobs need");
    }
}
