# Source this (setup puts it into .native/) before calling go by hand: it points cgo at the runtime that setup fetched.
# The compiler's own variables are used rather than CGO_CFLAGS, because go's build cache is keyed on those: with them
# every checkout would compile OpenCV's bindings anew, which takes minutes.
here="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" && pwd)"
# model/tflite/include has the headers that go-tflite wants and the fetched package lacks.
export C_INCLUDE_PATH="$here/include:${here%/*}/model/tflite/include${C_INCLUDE_PATH:+:$C_INCLUDE_PATH}"
export CPLUS_INCLUDE_PATH="$here/include:${here%/*}/model/tflite/include${CPLUS_INCLUDE_PATH:+:$CPLUS_INCLUDE_PATH}"
export LIBRARY_PATH="$here/lib${LIBRARY_PATH:+:$LIBRARY_PATH}"
# Tests and "go run" leave their binaries in changing places, so their way to the library is absolute. bin/gleaner gets
# relative ones from the Makefile, which replace this.
export LD_RUN_PATH="$here/lib"
unset here
