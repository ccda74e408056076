/* Networks: graphs and plans as capsules (csrc/include/scp/nn.h). A plan keeps its graph alive.
 * Only one call may use a plan at a time. */
#include "binding.h"

#include <stdatomic.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/nn.h"

#define GRAPH "scp.graph"
#define PLAN "scp.plan"
#define INTS 16
#define FLOATS 4

struct plan {
    struct scp_plan *core;
    PyObject *graph;
    npy_intp batch, height, width, channels;
    size_t parameters, state, outputs;
    int train;
    atomic_flag busy;
};

const struct scp_graph *scp_py_graph(PyObject *object, const char *name) {
    if (!PyCapsule_IsValid(object, GRAPH)) {
        PyErr_Format(PyExc_TypeError, "%s must be a graph of graph_create, got %s", name,
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    return PyCapsule_GetPointer(object, GRAPH);
}

static struct plan *get_plan(PyObject *object) {
    if (!PyCapsule_IsValid(object, PLAN)) {
        PyErr_Format(PyExc_TypeError, "plan must be a plan of plan_create, got %s",
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    return PyCapsule_GetPointer(object, PLAN);
}

static void free_graph(PyObject *capsule) {
    scp_graph_free(PyCapsule_GetPointer(capsule, GRAPH));
}

static void free_plan(PyObject *capsule) {
    struct plan *plan = PyCapsule_GetPointer(capsule, PLAN);
    scp_plan_free(plan->core);
    Py_DECREF(plan->graph);
    scp_free(plan);
}

static PyObject *graph_create(PyObject *module, PyObject *args) {
    PyObject *ints_object, *floats_object;
    if (!PyArg_ParseTuple(args, "OO:graph_create", &ints_object, &floats_object)) return NULL;
    PyArrayObject *ints = scp_py_array(ints_object, "ints", NPY_INT32, 2, SCP_PY_READ);
    PyArrayObject *floats = scp_py_array(floats_object, "floats", NPY_FLOAT32, 2, SCP_PY_READ);
    if (!ints || !floats) return NULL;
    const npy_intp n = PyArray_DIM(ints, 0);
    if (scp_py_length(ints, "ints", 1, INTS) || scp_py_length(floats, "floats", 0, n) ||
        scp_py_length(floats, "floats", 1, FLOATS))
        return NULL;
    struct scp_layer *layers = scp_calloc((size_t)n, sizeof *layers);
    if (!layers) return PyErr_NoMemory();
    const int32_t *in = PyArray_DATA(ints);
    const float *f = PyArray_DATA(floats);
    for (npy_intp i = 0; i < n; i++, in += INTS, f += FLOATS)
        layers[i] = (struct scp_layer){.op = (enum scp_op)in[0],
                                       .inputs = {in[1], in[2], in[3], in[4]},
                                       .channels = (uint32_t)in[5],
                                       .kernel_y = (uint32_t)in[6],
                                       .kernel_x = (uint32_t)in[7],
                                       .stride = (uint32_t)in[8],
                                       .dilation = (uint32_t)in[9],
                                       .pad_y = (uint32_t)in[10],
                                       .pad_x = (uint32_t)in[11],
                                       .bias = (uint32_t)in[12],
                                       .factor = (uint32_t)in[13],
                                       .align = (uint32_t)in[14],
                                       .output = (uint32_t)in[15],
                                       .slope = f[0],
                                       .epsilon = f[1],
                                       .momentum = f[2],
                                       .rate = f[3]};
    struct scp_graph *graph = NULL;
    size_t bad = 0;
    const enum scp_status status = scp_graph_create(&graph, &bad, layers, (size_t)n);
    scp_free(layers);
    if (status == SCP_EINVAL)
        return PyErr_Format(PyExc_ValueError, "graph_create: layer %zu is not legal", bad);
    if (status != SCP_OK) return scp_py_raise(module, status, "graph_create");
    PyObject *capsule = PyCapsule_New(graph, GRAPH, free_graph);
    if (!capsule) scp_graph_free(graph);
    return capsule;
}

static PyObject *graph_blocks(PyObject *module, PyObject *object) {
    (void)module;
    const struct scp_graph *graph = scp_py_graph(object, "graph");
    if (!graph) return NULL;
    npy_intp shape[2] = {(npy_intp)scp_graph_layers(graph), 4};
    PyObject *blocks = PyArray_SimpleNew(2, shape, NPY_INT64);
    if (!blocks) return NULL;
    int64_t *out = PyArray_DATA((PyArrayObject *)blocks);
    for (npy_intp i = 0; i < shape[0]; i++, out += 4) {
        struct scp_block b;
        scp_graph_block(&b, graph, (size_t)i);
        out[0] = (int64_t)b.parameters;
        out[1] = (int64_t)b.n_parameters;
        out[2] = (int64_t)b.state;
        out[3] = (int64_t)b.n_state;
    }
    return Py_BuildValue("nnnN", (Py_ssize_t)scp_graph_parameters(graph),
                         (Py_ssize_t)scp_graph_state(graph), (Py_ssize_t)scp_graph_outputs(graph),
                         blocks);
}

/* graph, batch, height, width, train. */
static const struct scp_graph *parse_plan(PyObject *args, const char *format, PyObject **graph,
                                          uint64_t size[3], int *train) {
    PyObject *batch, *height, *width;
    if (!PyArg_ParseTuple(args, format, graph, &batch, &height, &width, train)) return NULL;
    if (scp_py_count(batch, "batch", 65535, size) ||
        scp_py_count(height, "height", 65535, size + 1) ||
        scp_py_count(width, "width", 65535, size + 2))
        return NULL;
    return scp_py_graph(*graph, "graph");
}

static PyObject *plan_failed(PyObject *module, enum scp_status status, size_t bad,
                             const uint64_t size[3]) {
    if (status == SCP_EINVAL)
        return PyErr_Format(PyExc_ValueError,
                            "layer %zu does not fit a batch of %llu images of %llu x %llu pixels",
                            bad, (unsigned long long)size[0], (unsigned long long)size[1],
                            (unsigned long long)size[2]);
    return scp_py_raise(module, status, "plan_create");
}

static PyObject *plan_bytes(PyObject *module, PyObject *args) {
    PyObject *graph_object;
    uint64_t size[3];
    int train;
    const struct scp_graph *graph =
        parse_plan(args, "OOOOp:plan_bytes", &graph_object, size, &train);
    if (!graph) return NULL;
    size_t bytes = 0, bad = 0;
    const enum scp_status status = scp_plan_create(NULL, &bytes, &bad, graph, size[0], size[1],
                                                   size[2], train ? SCP_PLAN_TRAIN : SCP_PLAN_EVAL);
    if (status != SCP_OK) return plan_failed(module, status, bad, size);
    return PyLong_FromSize_t(bytes);
}

static PyObject *plan_create(PyObject *module, PyObject *args) {
    PyObject *graph_object;
    uint64_t size[3];
    int train;
    const struct scp_graph *graph =
        parse_plan(args, "OOOOp:plan_create", &graph_object, size, &train);
    if (!graph) return NULL;
    struct plan *plan = scp_calloc(1, sizeof *plan);
    if (!plan) return PyErr_NoMemory();
    size_t bytes = 0, bad = 0;
    const enum scp_status status =
        scp_plan_create(&plan->core, &bytes, &bad, graph, size[0], size[1], size[2],
                        train ? SCP_PLAN_TRAIN : SCP_PLAN_EVAL);
    if (status != SCP_OK) {
        scp_free(plan);
        return plan_failed(module, status, bad, size);
    }
    struct scp_shape input;
    scp_plan_shape(&input, plan->core, 0);
    plan->batch = (npy_intp)size[0];
    plan->height = (npy_intp)size[1];
    plan->width = (npy_intp)size[2];
    plan->channels = (npy_intp)input.channels;
    plan->parameters = scp_graph_parameters(graph);
    plan->state = scp_graph_state(graph);
    plan->outputs = scp_graph_outputs(graph);
    plan->train = train;
    atomic_flag_clear(&plan->busy);
    plan->graph = Py_NewRef(graph_object);
    PyObject *capsule = PyCapsule_New(plan, PLAN, free_plan);
    if (!capsule) {
        scp_plan_free(plan->core);
        Py_DECREF(plan->graph);
        scp_free(plan);
    }
    return capsule;
}

static PyObject *plan_shapes(PyObject *module, PyObject *object) {
    (void)module;
    const struct plan *plan = get_plan(object);
    if (!plan) return NULL;
    const struct scp_graph *graph = scp_py_graph(plan->graph, "graph");
    npy_intp shape[2] = {(npy_intp)scp_graph_layers(graph), 4};
    PyObject *shapes = PyArray_SimpleNew(2, shape, NPY_INT64);
    if (!shapes) return NULL;
    int64_t *out = PyArray_DATA((PyArrayObject *)shapes);
    for (npy_intp i = 0; i < shape[0]; i++, out += 4) {
        struct scp_shape s;
        scp_plan_shape(&s, plan->core, (size_t)i);
        out[0] = (int64_t)s.height;
        out[1] = (int64_t)s.width;
        out[2] = (int64_t)s.channels;
        out[3] = (int64_t)s.macs;
    }
    return shapes;
}

static PyArrayObject *vector(PyObject *object, const char *name, size_t length, int access) {
    PyArrayObject *array = scp_py_array(object, name, NPY_FLOAT32, 1, access);
    return array && scp_py_length(array, name, 0, (npy_intp)length) == 0 ? array : NULL;
}

static PyArrayObject *images_of(const struct plan *plan, PyObject *object, const char *name,
                                int access) {
    PyArrayObject *array = scp_py_array(object, name, NPY_FLOAT32, 4, access);
    if (!array || scp_py_length(array, name, 0, plan->batch) ||
        scp_py_length(array, name, 1, plan->height) || scp_py_length(array, name, 2, plan->width) ||
        scp_py_length(array, name, 3, plan->channels))
        return NULL;
    return array;
}

static int enter(struct plan *plan) {
    if (!atomic_flag_test_and_set(&plan->busy)) return 0;
    PyErr_SetString(PyExc_RuntimeError, "plan: another call is using it");
    return -1;
}

/* Between a plan's padded map and a dense array. */
static void unpad(float *out, const struct scp_output *map, size_t batch) {
    for (size_t i = 0; i < batch * map->height * map->width; i++)
        memcpy(out + i * map->channels, map->values + i * map->stride, map->channels * sizeof *out);
}

static void pad(const struct scp_output *map, const float *in, size_t batch) {
    for (size_t i = 0; i < batch * map->height * map->width; i++) {
        float *pixel = map->gradient + i * map->stride;
        memcpy(pixel, in + i * map->channels, map->channels * sizeof *in);
        memset(pixel + map->channels, 0, (map->stride - map->channels) * sizeof *in);
    }
}

static PyObject *plan_forward(PyObject *module, PyObject *args) {
    PyObject *plan_object, *parameters_object, *state_object, *images_object, *progress;
    PyObject *seed_object, *step_object;
    if (!PyArg_ParseTuple(args, "OOOOOOO:plan_forward", &plan_object, &parameters_object,
                          &state_object, &images_object, &seed_object, &step_object, &progress))
        return NULL;
    struct plan *plan = get_plan(plan_object);
    uint64_t seed, step;
    if (!plan || scp_py_progress(progress) ||
        scp_py_count(seed_object, "seed", UINT64_MAX, &seed) ||
        scp_py_count(step_object, "step", UINT64_MAX, &step))
        return NULL;
    PyArrayObject *parameters =
        vector(parameters_object, "parameters", plan->parameters, SCP_PY_READ);
    PyArrayObject *images =
        parameters ? images_of(plan, images_object, "images", SCP_PY_READ) : NULL;
    if (!images) return NULL;
    float *state = NULL;
    if (state_object != Py_None) {
        PyArrayObject *array =
            vector(state_object, "state", plan->state, plan->train ? SCP_PY_WRITE : SCP_PY_READ);
        if (!array) return NULL;
        state = PyArray_DATA(array);
    } else if (!plan->train && plan->state) {
        return PyErr_Format(PyExc_ValueError, "state must not be None outside training");
    }
    if (enter(plan)) return NULL;
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status =
        scp_plan_forward(plan->core, PyArray_DATA(parameters), state, PyArray_DATA(images), seed,
                         step, &call.control);
    atomic_flag_clear(&plan->busy);
    if (scp_py_end(&call, module, status, "plan_forward")) return NULL;
    PyObject *list = PyList_New((Py_ssize_t)plan->outputs);
    for (size_t i = 0; list && i < plan->outputs; i++) {
        struct scp_output out;
        scp_plan_output(&out, plan->core, i);
        npy_intp shape[4] = {plan->batch, (npy_intp)out.height, (npy_intp)out.width,
                             (npy_intp)out.channels};
        PyObject *array = PyArray_SimpleNew(4, shape, NPY_FLOAT32);
        if (!array) {
            Py_CLEAR(list);
            break;
        }
        unpad(PyArray_DATA((PyArrayObject *)array), &out, (size_t)plan->batch);
        PyList_SET_ITEM(list, (Py_ssize_t)i, array);
    }
    return list;
}

static PyObject *plan_backward(PyObject *module, PyObject *args) {
    PyObject *plan_object, *gradients_object, *input_object, *parameters_object, *list, *progress;
    if (!PyArg_ParseTuple(args, "OOOOO!O:plan_backward", &plan_object, &gradients_object,
                          &input_object, &parameters_object, &PyList_Type, &list, &progress))
        return NULL;
    struct plan *plan = get_plan(plan_object);
    if (!plan || scp_py_progress(progress)) return NULL;
    if (!plan->train)
        return PyErr_Format(PyExc_ValueError, "plan: it was created without train=True");
    PyArrayObject *gradients =
        vector(gradients_object, "gradients", plan->parameters, SCP_PY_WRITE);
    PyArrayObject *parameters =
        gradients ? vector(parameters_object, "parameters", plan->parameters, SCP_PY_READ) : NULL;
    if (!parameters) return NULL;
    float *input = NULL;
    if (input_object != Py_None) {
        PyArrayObject *array = images_of(plan, input_object, "input_gradient", SCP_PY_WRITE);
        if (!array) return NULL;
        input = PyArray_DATA(array);
    }
    if (PyList_GET_SIZE(list) != (Py_ssize_t)plan->outputs)
        return PyErr_Format(PyExc_ValueError, "output_gradients must hold %zu arrays, got %zd",
                            plan->outputs, PyList_GET_SIZE(list));
    for (size_t i = 0; i < plan->outputs; i++) {
        struct scp_output out;
        scp_plan_output(&out, plan->core, i);
        PyArrayObject *array = scp_py_array(PyList_GET_ITEM(list, (Py_ssize_t)i),
                                            "output_gradients", NPY_FLOAT32, 4, SCP_PY_READ);
        if (!array || scp_py_length(array, "output_gradients", 0, plan->batch) ||
            scp_py_length(array, "output_gradients", 1, (npy_intp)out.height) ||
            scp_py_length(array, "output_gradients", 2, (npy_intp)out.width) ||
            scp_py_length(array, "output_gradients", 3, (npy_intp)out.channels))
            return NULL;
        pad(&out, PyArray_DATA(array), (size_t)plan->batch);
    }
    if (enter(plan)) return NULL;
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status = scp_plan_backward(plan->core, PyArray_DATA(gradients), input,
                                                     PyArray_DATA(parameters), &call.control);
    atomic_flag_clear(&plan->busy);
    if (status == SCP_EINVAL) {
        scp_py_end(&call, module, SCP_OK, "plan_backward");
        return PyErr_Format(PyExc_ValueError, "plan_backward: no plan_forward came before it");
    }
    if (scp_py_end(&call, module, status, "plan_backward")) return NULL;
    Py_RETURN_NONE;
}

PyMethodDef scp_py_nn_methods[] = {
    {"graph_create", graph_create, METH_VARARGS, NULL},
    {"graph_blocks", graph_blocks, METH_O, NULL},
    {"plan_bytes", plan_bytes, METH_VARARGS, NULL},
    {"plan_create", plan_create, METH_VARARGS, NULL},
    {"plan_shapes", plan_shapes, METH_O, NULL},
    {"plan_forward", plan_forward, METH_VARARGS, NULL},
    {"plan_backward", plan_backward, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
