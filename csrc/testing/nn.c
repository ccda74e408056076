/* scp._testing: layout of networks, and a plan's backward pass. */
#include <string.h>

#include "../python/args.h"
#include "scp/nn.h"

FUNCTION(graph_blocks, "Sizes of the flat arrays, and every layer's blocks in them.",
         OBJECT("graph", &scp_py_graph), VALUE("n_parameters", int64), VALUE("n_state", int64),
         VALUE("n_outputs", int64),
         OUT("blocks", int64, "[layers][4]", .note = "offset and number of parameters, of state")) {
    int64_t (*out)[4] = DATA(blocks);
    *(size_t *)TO(n_parameters) = SIZE(parameters);
    *(size_t *)TO(n_state) = SIZE(state);
    *(size_t *)TO(n_outputs) = SIZE(outputs);
    for (size_t i = 0; i < SIZE(layers); i++) {
        struct scp_block b;
        scp_graph_block(&b, DATA(graph), i);
        out[i][0] = (int64_t)b.parameters, out[i][1] = (int64_t)b.n_parameters;
        out[i][2] = (int64_t)b.state, out[i][3] = (int64_t)b.n_state;
    }
    return SCP_OK;
}

FUNCTION(plan_shapes, "Height, width, channels and multiply-adds of every layer.",
         OBJECT("plan", &scp_py_plan), OUT("shapes", int64, "[layers][4]")) {
    int64_t (*out)[4] = DATA(shapes);
    for (size_t i = 0; i < SIZE(layers); i++) {
        struct scp_shape s;
        scp_plan_shape(&s, DATA(plan), i);
        out[i][0] = (int64_t)s.height, out[i][1] = (int64_t)s.width;
        out[i][2] = (int64_t)s.channels, out[i][3] = (int64_t)s.macs;
    }
    return SCP_OK;
}

/* A dense array into a plan's padded map. */
static enum scp_status pad(const struct scp_args *in, const struct scp_output *map,
                           PyObject *object) {
    PyArrayObject *array = (PyArrayObject *)object;
    const npy_intp shape[4] = {(npy_intp)SIZE(batch), (npy_intp)map->height, (npy_intp)map->width,
                               (npy_intp)map->channels};
    const float *from = PyArray_DATA(array);
    if (memcmp(PyArray_DIMS(array), shape, sizeof shape) != 0)
        return scp_invalid(in->control, "output_gradients", SCP_WHOLE,
                           "must have the outputs' shapes");
    for (size_t i = 0; i < SIZE(batch) * map->height * map->width; i++) {
        float *pixel = map->gradient + i * map->stride;
        memcpy(pixel, from + i * map->channels, map->channels * sizeof *from);
        memset(pixel + map->channels, 0, (map->stride - map->channels) * sizeof *from);
    }
    return SCP_OK;
}

FUNCTION(plan_backward, "Adds the gradient of the parameters.",
         OBJECT("plan", &scp_py_plan, .flags = BUSY),
         ARRAY("gradients", float32, "[parameters]", .flags = WRITE),
         ARRAY("input_gradient", float32, "[batch][height][width][channels]",
               .flags = WRITE | NONE),
         ARRAY("parameters", float32, "[parameters]"),
         ARRAYS("output_gradients", float32, "[outputs][*][*][*][*]"), PROGRESS) {
    if (!SIZE(train))
        return scp_invalid(in->control, "plan", SCP_WHOLE, "must be one for training");
    for (size_t i = 0; i < SIZE(outputs); i++) {
        struct scp_output out;
        scp_plan_output(&out, DATA(plan), i);
        PyObject *given = PyTuple_GET_ITEM(scp_given(in, "output_gradients"), (Py_ssize_t)i);
        const enum scp_status status = pad(in, &out, given);
        if (status != SCP_OK) return status;
    }
    return scp_plan_backward(DATA(plan), DATA(gradients), DATA(input_gradient), DATA(parameters),
                             in->control);
}
