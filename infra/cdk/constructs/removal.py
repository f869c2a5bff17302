"""What becomes of data when their stack goes."""

from aws_cdk import RemovalPolicy

from infra.cdk.config import PipelineConfig


def removal_of_data(config: PipelineConfig) -> RemovalPolicy:
    """Tell whether what holds data outlives its stack.

    What a failed first deployment leaves behind would bar the next by its fixed name, so even
    what is kept goes when its own creation is rolled back.
    """
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if config.keep_data else RemovalPolicy.DESTROY
