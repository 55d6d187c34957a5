# A thin front: the tools do the work.
.PHONY: run test check

run:
	tools/run

test:
	tools/test

check:
	tools/check
