//! Python's side of gRPC is there.

use std::time::Duration;

use testbed::{Python, ScriptError, require};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_script_gets_its_arguments_and_the_grpc_packages() {
    let Some(python) = require(Python::find()) else { return };
    let script = "import sys, grpc, grpc_reflection, google.protobuf\nprint('hello', *sys.argv[1:])";
    assert_eq!(python.run(script, &["a", "b"], PATIENCE).unwrap(), "hello a b\n");
}

#[test]
fn a_script_that_fails_hands_over_its_traceback() {
    let Some(python) = require(Python::find()) else { return };
    let error = python.run("raise ValueError('no such link')", &[], PATIENCE).unwrap_err();
    assert!(
        matches!(&error, ScriptError::Failed { said } if said.contains("ValueError: no such link")),
        "{error}"
    );
}
