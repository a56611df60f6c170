"""Writes the members of the answers that tests/answers/recorded stands for, from botocore's models (PyPI: botocore).

    python3 tests/answers/shapes.py > tests/answers/shapes.txt
"""

import botocore.session

CALLS = """
ecr DescribeRepositories DescribeImages GetLifecyclePolicy DescribeRegistry ListPullTimeUpdateExclusions
ecr DescribeRepositoryCreationTemplates DescribePullThroughCacheRules BatchGetImage
ecs DescribeServices DescribeServiceRevisions DescribeTasks DescribeTaskDefinition ListServices
lambda GetFunction ListFunctions
apprunner DescribeService
batch DescribeJobDefinitions
sagemaker DescribeEndpoint DescribeEndpointConfig DescribeModel
inspector2 ListCoverage
"""
DEPTH_MAX = 9


def members(shape, path, depth):
    kind = shape.type_name
    print(f"{path} {kind}")
    if depth == 0:
        return
    if kind == "structure":
        for name, member in sorted(shape.members.items()):
            members(member, f"{path}.{name}", depth - 1)
    elif kind == "list":
        members(shape.member, f"{path}[]", depth - 1)
    elif kind == "map":
        members(shape.value, f"{path}.*", depth - 1)


session = botocore.session.get_session()
for line in CALLS.split("\n"):
    service, *calls = line.split() or [None]
    for call in calls:
        model = session.get_service_model(service).operation_model(call)
        members(model.output_shape, f"{service}.{call}", DEPTH_MAX)
