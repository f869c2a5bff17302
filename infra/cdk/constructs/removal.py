"""What becomes of data when their stack goes: they stay."""

from aws_cdk import RemovalPolicy

KEEP_DATA = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
"""What a failed first deployment leaves behind would bar the next by its fixed name, so even what
is kept goes when its own creation is rolled back."""
