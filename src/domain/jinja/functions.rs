//! Jinja2's functions that minijinja lacks: `cycler` and `joiner`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use minijinja::value::{Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value as Jinja};

use super::arguments::{bind, invalid};
use super::{Given, Result};

/// The methods of what these functions give, and of `loop`, `namespace` and an imported macro.
pub(crate) const FUNCTION_METHODS: &[&str] = &["changed", "cycle", "next", "reset"];

#[derive(Debug)]
struct Cycler {
    items: Vec<Jinja>,
    position: AtomicUsize,
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        (key.as_str()? == "current").then(|| self.items[self.position.load(Ordering::Relaxed)].clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Jinja],
    ) -> std::result::Result<Jinja, Error> {
        let () = from_args(args)?;
        match method {
            "next" => {
                let at = self.position.load(Ordering::Relaxed);
                self.position.store((at + 1) % self.items.len(), Ordering::Relaxed);
                Ok(self.items[at].clone())
            }
            "reset" => {
                self.position.store(0, Ordering::Relaxed);
                Ok(Jinja::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

pub(super) fn cycler(_: &mut State<'_, '_>, given: Given<'_>) -> Result {
    if given.is_empty() || given.iter().any(Jinja::is_kwargs) {
        return Err(invalid("`cycler` takes the values to go through".to_owned()));
    }
    Ok(Jinja::from_object(Cycler { items: given.to_vec(), position: AtomicUsize::new(0) }))
}

#[derive(Debug)]
struct Joiner {
    separator: Jinja,
    used: AtomicBool,
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Jinja]) -> std::result::Result<Jinja, Error> {
        let () = from_args(args)?;
        match self.used.swap(true, Ordering::Relaxed) {
            true => Ok(self.separator.clone()),
            false => Ok(Jinja::from("")),
        }
    }
}

pub(super) fn joiner(_: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [separator] = bind("joiner", ["sep"], given)?;
    let separator = separator.unwrap_or_else(|| Jinja::from(", "));
    Ok(Jinja::from_object(Joiner { separator, used: AtomicBool::new(false) }))
}
