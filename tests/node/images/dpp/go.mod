// The programs in the images of the node: scripts/real-node.sh builds them. They need the standard library only.
module staging-dry-run/tests/node/images/dpp

go 1.24.0
