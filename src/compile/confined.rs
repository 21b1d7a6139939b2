//! A panic in compiling one object stays with that object: the operator compiles those of every namespace.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::problem::{ObjectName, Problem, Problems, Severity};

/// Compiles one object; `None` if that panicked, which is then a problem of the object.
pub(super) fn confined<T>(
    object: &ObjectName,
    problems: &mut Problems,
    compile: impl FnOnce(&mut Problems) -> T,
) -> Option<T> {
    // Problems are only ever added to, one at a time, so what a panic leaves behind can be used.
    let compiled = catch_unwind(AssertUnwindSafe(|| compile(problems)));
    if compiled.is_err() {
        let (object, message) =
            (object.clone(), "could not be compiled; this is a mistake of Fanfare: report it".to_owned());
        problems.push(Problem {
            object,
            path: "spec".to_owned(),
            span: None,
            severity: Severity::Error,
            message,
        });
    }
    compiled.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::ObjectKind;

    #[test]
    fn a_panic_is_a_problem_of_its_object() {
        let object = ObjectName { kind: ObjectKind::ApiTrigger, name: "t".into() };
        let mut problems = Problems::default();
        let compiled: Option<()> = confined(&object, &mut problems, |_| panic!("on purpose"));
        assert_eq!(compiled, None);
        assert!(problems.has_errors(&object));
        assert_eq!(confined(&object, &mut problems, |_| 5), Some(5));
    }
}
