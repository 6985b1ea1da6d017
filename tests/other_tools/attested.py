"""Reads the attestation in each folder with the in-toto project's own bindings, and prints its result.

They refuse a field that the specifications do not have, and one of another type.
"""

import hashlib
import pathlib
import sys

from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import resource_descriptor, statement, statement_pb2

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"

for folder in map(pathlib.Path, sys.argv[1:]):
    text = (folder / "attestation.json").read_text()
    message = json_format.Parse(text, statement_pb2.Statement())
    statement.Statement.copy_from_pb(message).validate()
    assert message.predicate_type == TEST_RESULT, message.predicate_type

    result = json_format.ParseDict(json_format.MessageToDict(message.predicate), test_result_pb2.TestResult())
    for used in result.configuration:
        resource_descriptor.ResourceDescriptor.copy_from_pb(used).validate()

    subject = message.subject[0]
    sums = hashlib.sha256((folder / subject.name).read_bytes()).hexdigest()
    assert subject.digest["sha256"] == sums, f"{subject.digest} is not {sums}"
    print(folder.name, result.result, len(message.subject), len(result.configuration))
