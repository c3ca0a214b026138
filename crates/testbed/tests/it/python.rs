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

/// A server that is not ours either: Python's health service, with reflection under the name of its version 1.
const HEALTH_SERVER: &str = r#"
import sys
from concurrent import futures
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
import reflected

server = grpc.server(futures.ThreadPoolExecutor())
service = health.HealthServicer()
service.set("luong", health_pb2.HealthCheckResponse.SERVING)
health_pb2_grpc.add_HealthServicer_to_server(service, server)
info = grpc.stream_stream_rpc_method_handler(
    reflection.ReflectionServicer(["grpc.health.v1.Health"]).ServerReflectionInfo,
    request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
    response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
)
handlers = {"ServerReflectionInfo": info}
name = "grpc.reflection.v1.ServerReflection"
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, handlers)])
port = server.add_insecure_port("127.0.0.1:0")
server.start()

api = reflected.Server(f"127.0.0.1:{port}")
print(api.services())
health_service = api.service("grpc.health.v1.Health")
print(health_service.Check({"service": "luong"}, timeout=5))
watch = health_service.Watch({"service": "luong"}, timeout=5)
print(next(watch))
try:
    health_service.Check({"service": "unheard of"}, timeout=5)
except grpc.RpcError as error:
    print(error.code().name)
"#;

#[test]
fn a_client_made_by_reflection_calls_streams_and_fails_as_any_other() {
    let Some(python) = require(Python::find()) else { return };
    let printed = python.run(HEALTH_SERVER, &[], PATIENCE).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    let serving = "{'status': 'SERVING'}";
    assert_eq!(lines, ["['grpc.health.v1.Health']", serving, serving, "NOT_FOUND"]);
}
