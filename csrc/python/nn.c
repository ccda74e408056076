/* scp._core: networks (scp/nn.h). A plan keeps its graph alive, and the images it has last seen. */
#include "args.h"

#include <string.h>

#include "scp/nn.h"

TYPE(scp_py_graph, scp_graph_free, "Graph", "A network, checked.",
     "layers channels parameters state outputs")

_Static_assert(sizeof(struct scp_layer) == 20 * sizeof(int32_t), "a row of `layers`");

FUNCTION(graph_create, "A network from its layers.",
         ARRAY("table", int32, "[layers][20]",
               .note = "struct scp_layer, its four real numbers as their bits"),
         NEW(&scp_py_graph)) {
    const struct scp_layer *layers = DATA(table);
    size_t bad = 0;
    const enum scp_status status = scp_graph_create(TO(object), &bad, layers, SIZE(layers));
    if (status == SCP_EINVAL) scp_invalid(in->control, "layer", bad, "is not legal");
    if (status != SCP_OK) return status;
    *(size_t *)TO(channels) = layers->channels;
    *(size_t *)TO(parameters) = scp_graph_parameters(in->made);
    *(size_t *)TO(state) = scp_graph_state(in->made);
    *(size_t *)TO(outputs) = scp_graph_outputs(in->made);
    return SCP_OK;
}

TYPE(scp_py_plan, scp_plan_free, "Plan",
     "A network bound to a batch of images; serves one call at a time.",
     "layers batch height width channels parameters state outputs train")

#define PLAN_ARGS                                                                                  \
    OBJECT("graph", &scp_py_graph, .flags = KEEP), COUNT("batch", 1, 65535),                       \
        COUNT("height", 1, 65535), COUNT("width", 1, 65535), FLAG("train")

static enum scp_status make_plan(struct scp_args *in, struct scp_plan **plan, size_t *bytes) {
    const enum scp_plan_mode mode = SIZE(train) ? SCP_PLAN_TRAIN : SCP_PLAN_EVAL;
    size_t bad = 0;
    const enum scp_status status = scp_plan_create(plan, bytes, &bad, DATA(graph), SIZE(batch),
                                                   SIZE(height), SIZE(width), mode);
    if (status == SCP_EINVAL)
        scp_invalid(in->control, "layer", bad, "does not fit a batch of that size");
    return status;
}

FUNCTION(plan_bytes, "Memory that plan_create takes, with the present number of threads.",
         PLAN_ARGS, VALUE("bytes", int64)) {
    return make_plan(in, NULL, TO(bytes));
}

FUNCTION(plan_create, "A graph bound to a batch and an image size.", PLAN_ARGS, NEW(&scp_py_plan)) {
    size_t bytes;
    return make_plan(in, TO(object), &bytes);
}

static PyObject *make_outputs(struct scp_args *in) {
    const size_t count = SIZE(outputs), batch = SIZE(batch);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < count; i++) {
        struct scp_output out;
        scp_plan_output(&out, DATA(plan), i);
        npy_intp shape[4] = {(npy_intp)batch, (npy_intp)out.height, (npy_intp)out.width,
                             (npy_intp)out.channels};
        PyObject *array = PyArray_SimpleNew(4, shape, NPY_FLOAT32);
        float *to = array ? PyArray_DATA((PyArrayObject *)array) : NULL;
        for (size_t k = 0; array && k < batch * out.height * out.width; k++)
            memcpy(to + k * out.channels, out.values + k * out.stride, out.channels * sizeof *to);
        scp_py_append(&list, array);
    }
    return list;
}

FUNCTION(plan_forward, "Runs the network on images.", OBJECT("plan", &scp_py_plan, .flags = BUSY),
         ARRAY("parameters", float32, "[parameters]"),
         ARRAY("state", float32, "[state]", .flags = NONE,
               .note = "a training plan changes it in place"),
         ARRAY("images", float32, "[batch][height][width][channels]", .flags = LEND,
               .note = "plan_backward reads them again"),
         COUNT("seed", 0, UINT64_MAX), COUNT("step", 0, UINT64_MAX), PROGRESS,
         MADE("outputs", make_outputs, "list of float32 [batch][h][w][c]")) {
    PyObject *state = scp_given(in, "state");
    if (SIZE(train) && state != Py_None && !PyArray_ISWRITEABLE((PyArrayObject *)state))
        return scp_invalid(in->control, "state", SCP_WHOLE, "must be writable in training");
    return scp_plan_forward(DATA(plan), DATA(parameters), DATA(state), DATA(images), SIZE(seed),
                            SIZE(step), in->control);
}
