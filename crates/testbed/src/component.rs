//! What a test does when a component that it needs is not there.

use std::{
    env,
    io::{self, Write},
    thread,
};

/// Why a component can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// The machine does not have it. Outside CI the test is skipped.
    #[error("{component} is not there: {reason}; run `cargo xtask setup`")]
    Absent {
        /// What is missing, as an operator calls it.
        component: &'static str,
        /// Where it was looked for.
        reason: String,
    },
    /// It is there and does not work. That is a failure everywhere: a skipped test would hide it.
    #[error("{component} does not start: {reason}")]
    Broken {
        /// What is broken.
        component: &'static str,
        /// What it said.
        reason: String,
    },
}

impl Missing {
    /// Says the same once more: a component that tests share is missing for each of them.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Absent { component, reason } => Self::Absent { component, reason: reason.clone() },
            Self::Broken { component, reason } => Self::Broken { component, reason: reason.clone() },
        }
    }
}

/// Returns the component, or `None` after saying on stderr that this test is skipped and why.
///
/// # Panics
///
/// When the component is broken, and when it is absent although `CI=true`: there, nothing may be skipped.
pub fn require<T>(component: Result<T, Missing>) -> Option<T> {
    match component {
        Ok(component) => Some(component),
        Err(missing @ Missing::Absent { .. }) if !in_ci() => {
            say_skipped(&missing);
            None
        }
        Err(missing) => panic!("{missing}"),
    }
}

fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}

/// Written to the stream itself, not by `eprintln!`: the test harness swallows what a passing test prints.
fn say_skipped(missing: &Missing) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let said = writeln!(io::stderr(), "skipped: {test}: {missing}");
    debug_assert!(said.is_ok(), "stderr is open while a test runs");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_is_there_is_handed_over() {
        assert_eq!(require(Ok(7)), Some(7));
    }

    #[test]
    #[should_panic(expected = "mosquitto does not start: port taken")]
    fn a_broken_component_is_never_skipped() {
        require::<()>(Err(Missing::Broken { component: "mosquitto", reason: "port taken".to_owned() }));
    }

    #[test]
    fn an_absent_component_skips_outside_ci_only() {
        let absent = || Err::<(), _>(Missing::Absent { component: "kafka", reason: "no jars".to_owned() });
        let outcome = std::panic::catch_unwind(|| require(absent()));
        assert_eq!(outcome.is_err(), in_ci(), "skips outside CI, panics inside");
    }
}
