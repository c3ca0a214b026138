"""A client of any gRPC service, made from what the server says of itself by reflection.

    import reflected
    api = reflected.Server("127.0.0.1:50051")
    states = api.service("luong.v1.TrafficState")
    for chunk in states.GetSnapshot({"filter": {"observedOnly": True}}, timeout=10):
        print(chunk["asOf"], len(chunk["states"]))

Requests and answers are dicts in protobuf's JSON form. Nothing here was generated from our .proto files: what a
stranger's client sees is what this one sees.
"""

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Database(ProtoReflectionDescriptorDatabase):
    """Asks version 1 of the reflection service; the package still asks v1alpha, whose messages are the same."""

    def __init__(self, channel):
        super().__init__(channel)
        self._stub = self
        self.ServerReflectionInfo = channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )


class Server:
    """One server and what it offers."""

    def __init__(self, address):
        # Receivers default to 4 MiB a message; that default is part of what is tested.
        self.channel = grpc.insecure_channel(address)
        self.database = Database(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def services(self):
        """The full names of all services."""
        return sorted(self.database.get_services())

    def service(self, name):
        """A service by its full name; its methods are called as attributes."""
        return Service(self.channel, self.pool.FindServiceByName(name))


class Service:
    """Each method of the descriptor as a callable."""

    def __init__(self, channel, descriptor):
        for method in descriptor.methods:
            setattr(self, method.name, _call(channel, descriptor, method))


def _call(channel, service, method):
    request_class = message_factory.GetMessageClass(method.input_type)
    answer_class = message_factory.GetMessageClass(method.output_type)
    open_call = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = open_call(
        f"/{service.full_name}/{method.name}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=answer_class.FromString,
    )

    def as_dict(answer):
        return json_format.MessageToDict(answer)

    def invoke(request=None, **options):
        message = json_format.ParseDict(request or {}, request_class())
        answer = call(message, **options)
        return map(as_dict, answer) if method.server_streaming else as_dict(answer)

    return invoke
