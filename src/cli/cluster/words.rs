//! The words a person typed after `kubectl fanfare`: the flags that are kubectl's own may stand before the command, too.

use std::ffi::OsString;

use super::is_plugin;

/// The flags of kubectl that take a word.
const FLAGS: [&str; 4] = ["-n", "--namespace", "--context", "--kubeconfig"];

/// The words of this process, its name among them.
pub(in crate::cli) fn words() -> Vec<OsString> {
    let words = std::env::args_os().collect();
    if is_plugin() { flags_last(words) } else { words }
}

/// Puts flags of kubectl that stand before the command behind it, where the command knows them.
fn flags_last(words: Vec<OsString>) -> Vec<OsString> {
    let mut front = 1;
    while let Some(word) = words.get(front).and_then(|word| word.to_str()) {
        let has_value = FLAGS.iter().any(|flag| {
            let rest = word.strip_prefix(flag);
            rest.is_some_and(|rest| rest.starts_with('=') || (*flag == "-n" && !rest.is_empty()))
        });
        match (FLAGS.contains(&word), has_value) {
            (true, _) => front += 2,
            (false, true) => front += 1,
            (false, false) => break,
        }
    }
    let front = front.min(words.len());
    // Without a command there is nothing to put them behind: clap says what is missing.
    if front == words.len() {
        return words;
    }
    let mut ordered: Vec<OsString> = words[..1].to_vec();
    ordered.extend_from_slice(&words[front..]);
    ordered.extend_from_slice(&words[1..front]);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let words = flags_last(words).into_iter().map(|word| word.into_string().unwrap());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn kubectls_flags_may_stand_before_the_command() {
        for (typed, meant) in [
            ("kf -n shop log", "kf log -n shop"),
            ("kf --namespace=shop --context c log x", "kf log x --namespace=shop --context c"),
            ("kf -nshop call storm --watch", "kf call storm --watch -nshop"),
            ("kf log -n shop", "kf log -n shop"),
            ("kf --help", "kf --help"),
            ("kf -n", "kf -n"),
            ("kf -n shop", "kf -n shop"),
        ] {
            assert_eq!(ordered(typed), meant, "{typed}");
        }
    }
}
