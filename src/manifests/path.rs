//! Field paths as Kubernetes writes them: `spec.parameters[0].name`, `data[snowstorm.txt]`.

/// The path of a member of an object.
pub fn child(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (path, plain) {
        ("", true) => key.to_owned(),
        (_, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key}]"),
    }
}

/// The path of an element of a list.
pub fn index(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// The path of the object or list that holds this one; none for the root.
pub fn parent(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    let end = if path.ends_with(']') { path.rfind('[') } else { path.rfind('.') };
    Some(&path[..end.unwrap_or(0)])
}
