/* scp._testing: convolution of maps. Networks call the core themselves. */
#include "conv_args.h"

#include "../nn/conv.h"
#include "scp/alloc.h"

/* What the three functions share. Maps are float32 [B][H][W][stride]. */
struct conv_call {
    struct scp_conv conv;
    struct scp_map x, y; /* of the layer: input and output */
    struct scp_deferred deferred;
    struct scp_backward backward;
};

static int read_deferred(struct scp_deferred *deferred, PyObject *object, const char *name,
                         size_t batch, size_t channels) {
    const float *values[3];
    size_t rows = 1;
    *deferred = (struct scp_deferred){NULL, NULL, NULL, 0};
    if (object == Py_None) return 0;
    if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) != 3) {
        PyErr_Format(PyExc_TypeError, "%s must be (scale, shift, slope)", name);
        return -1;
    }
    for (Py_ssize_t i = 0; i < 3; i++) {
        PyArrayObject *a =
            scp_py_array(PyTuple_GET_ITEM(object, i), name, NPY_FLOAT32, 2, SCP_PY_READ);
        if (!a || scp_py_length(a, name, 1, (npy_intp)scp_lanes_up(channels))) return -1;
        if (i == 0) rows = (size_t)PyArray_DIM(a, 0);
        if (scp_py_length(a, name, 0, rows == 1 ? 1 : (npy_intp)batch)) return -1;
        values[i] = PyArray_DATA(a);
    }
    *deferred = (struct scp_deferred){values[0], values[1], values[2],
                                      rows == 1 ? 0 : scp_lanes_up(channels)};
    return 0;
}

/* (raw, (scale, shift, slope), None or (a, b, c)) */
static int read_backward(struct scp_backward *backward, PyObject *object,
                         const struct scp_map *map) {
    struct scp_deferred norm;
    *backward = (struct scp_backward){.a = NULL};
    if (object == Py_None) return 0;
    if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) != 3) {
        PyErr_SetString(PyExc_TypeError,
                        "backward must be (raw, (scale, shift, slope), (a, b, c))");
        return -1;
    }
    PyArrayObject *raw =
        scp_py_array(PyTuple_GET_ITEM(object, 0), "backward", NPY_FLOAT32, 4, SCP_PY_READ);
    if (!raw || scp_py_length(raw, "backward", 0, (npy_intp)map->batch) ||
        scp_py_length(raw, "backward", 1, (npy_intp)map->height) ||
        scp_py_length(raw, "backward", 2, (npy_intp)map->width))
        return -1;
    if ((size_t)PyArray_DIM(raw, 3) < map->channels) {
        PyErr_SetString(PyExc_ValueError, "backward must have as many channels as the gradient");
        return -1;
    }
    backward->raw = *map;
    backward->raw.data = PyArray_DATA(raw);
    backward->raw.stride = (size_t)PyArray_DIM(raw, 3);
    if (read_deferred(&backward->deferred, PyTuple_GET_ITEM(object, 1), "backward", map->batch,
                      map->channels) ||
        read_deferred(&norm, PyTuple_GET_ITEM(object, 2), "backward", map->batch, map->channels))
        return -1;
    if (!backward->deferred.scale) {
        PyErr_SetString(PyExc_TypeError, "backward must have (scale, shift, slope)");
        return -1;
    }
    if (norm.scale && norm.image_step != backward->deferred.image_step) {
        PyErr_SetString(PyExc_ValueError,
                        "backward must have as many rows in all its coefficients");
        return -1;
    }
    backward->a = norm.scale, backward->b = norm.shift, backward->c = norm.slope;
    return 0;
}

static int read_map(struct scp_map *map, PyObject *object, const char *name, int access,
                    size_t channels, Py_ssize_t first) {
    PyArrayObject *a = scp_py_array(object, name, NPY_FLOAT32, 4, access);
    if (!a) return -1;
    const npy_intp *shape = PyArray_DIMS(a);
    if (PyArray_SIZE(a) == 0) {
        PyErr_Format(PyExc_ValueError, "%s must not be empty", name);
        return -1;
    }
    if (first < 0 || (size_t)shape[3] < channels + (size_t)first) {
        PyErr_Format(PyExc_ValueError, "%s must have %zu channels from %zd on, got %zd in all",
                     name, channels, first, (Py_ssize_t)shape[3]);
        return -1;
    }
    *map = (struct scp_map){(float *)PyArray_DATA(a) + first,
                            (size_t)shape[0],
                            (size_t)shape[1],
                            (size_t)shape[2],
                            channels,
                            (size_t)shape[3],
                            0};
    return 0;
}

/* stride, dilation, pad_y, pad_x, transposed with the shape of the weights. */
static int read_conv(struct scp_conv *conv, PyArrayObject *weights, PyObject *geometry) {
    uint64_t number[4]; /* as in a graph: strides and dilations of 1 to 255 */
    if (!PyTuple_Check(geometry) || PyTuple_GET_SIZE(geometry) != 5) {
        PyErr_SetString(PyExc_TypeError,
                        "geometry must be (stride, dilation, pad_y, pad_x, transposed)");
        return -1;
    }
    for (Py_ssize_t i = 0; i < 4; i++)
        if (scp_whole(PyTuple_GET_ITEM(geometry, i), "geometry", i < 2, i < 2 ? 255 : 65535,
                      number + i))
            return -1;
    const int transposed = PyObject_IsTrue(PyTuple_GET_ITEM(geometry, 4));
    if (transposed < 0) return -1;
    const npy_intp *shape = PyArray_DIMS(weights);
    for (int i = 0; i < 4; i++)
        if (shape[i] < 1 || shape[i] > 65535) {
            PyErr_SetString(PyExc_ValueError, "weights must have sides of 1 to 65535");
            return -1;
        }
    *conv = (struct scp_conv){(size_t)shape[2], (size_t)shape[3], (size_t)shape[0],
                              (size_t)shape[1], number[0],        number[1],
                              number[2],        number[3],        transposed};
    return 0;
}

static int check_sizes(const struct conv_call *call) {
    size_t height, width;
    scp_conv_size(&height, &width, &call->conv, call->x.height, call->x.width);
    if (call->x.batch == call->y.batch && call->y.height == height && call->y.width == width)
        return 0;
    PyErr_Format(PyExc_ValueError, "the output must be [%zu][%zu][%zu], got [%zu][%zu][%zu]",
                 call->x.batch, height, width, call->y.batch, call->y.height, call->y.width);
    return -1;
}

/* The workspace of a call: the caller's array, or an allocation to be freed. */
struct space {
    float *floats, *owned;
};

static int open_space(struct space *space, PyObject *object, const struct conv_call *call,
                      int train) {
    const size_t count = scp_conv_workspace(&call->conv, call->x.batch, call->x.height,
                                            call->x.width, train, scp_threads());
    *space = (struct space){NULL, NULL};
    if (object != Py_None) {
        PyArrayObject *a = scp_py_array(object, "workspace", NPY_FLOAT32, 1, SCP_PY_WRITE);
        if (!a) return -1;
        const uintptr_t at = (uintptr_t)PyArray_DATA(a), line = SCP_ALIGNMENT;
        const size_t skip = (line - at % line) % line / sizeof(float);
        if (count < SIZE_MAX - skip && (size_t)PyArray_DIM(a, 0) >= count + skip) {
            space->floats = (float *)PyArray_DATA(a) + skip;
            return 0;
        }
        PyErr_Format(PyExc_ValueError, "workspace must have %zu floats and 16 more, got %zd", count,
                     (Py_ssize_t)PyArray_DIM(a, 0));
        return -1;
    }
    if (count < SIZE_MAX) space->floats = space->owned = scp_alloc(count, sizeof(float));
    if (space->floats) return 0;
    PyErr_NoMemory();
    return -1;
}

static PyObject *conv_workspace(PyObject *module, PyObject *args, PyObject *keywords) {
    static char *names[] = {"x", "weights", "geometry", "train", NULL};
    PyObject *x, *weights_object, *geometry;
    struct conv_call c;
    int train;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOp:conv_workspace", names, &x,
                                     &weights_object, &geometry, &train))
        return NULL;
    PyArrayObject *weights = scp_py_array(weights_object, "weights", NPY_FLOAT32, 4, SCP_PY_READ);
    if (!weights || read_conv(&c.conv, weights, geometry) ||
        read_map(&c.x, x, "x", SCP_PY_READ, c.conv.in, 0))
        return NULL;
    return PyLong_FromSize_t(
        scp_conv_workspace(&c.conv, c.x.batch, c.x.height, c.x.width, train, scp_threads()));
}

static PyObject *conv_forward(PyObject *module, PyObject *args, PyObject *keywords) {
    (void)module;
    static char *names[] = {"y",       "x",       "weights",   "bias",     "geometry", "deferred",
                            "first_y", "first_x", "workspace", "progress", NULL};
    PyObject *y, *x, *weights_object, *bias_object, *geometry, *deferred = Py_None;
    PyObject *work = Py_None, *progress = Py_None, *result = NULL;
    Py_ssize_t first_y = 0, first_x = 0;
    struct conv_call c;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOOO|OnnOO:conv_forward", names, &y, &x,
                                     &weights_object, &bias_object, &geometry, &deferred, &first_y,
                                     &first_x, &work, &progress))
        return NULL;
    PyArrayObject *weights = scp_py_array(weights_object, "weights", NPY_FLOAT32, 4, SCP_PY_READ);
    if (!weights || read_conv(&c.conv, weights, geometry) || scp_py_progress(progress)) return NULL;
    const float *bias = NULL;
    if (bias_object != Py_None) {
        PyArrayObject *a = scp_py_array(bias_object, "bias", NPY_FLOAT32, 1, SCP_PY_READ);
        if (!a || scp_py_length(a, "bias", 0, (npy_intp)c.conv.out)) return NULL;
        bias = PyArray_DATA(a);
    }
    if (read_map(&c.x, x, "x", SCP_PY_READ, c.conv.in, first_x) ||
        read_map(&c.y, y, "y", SCP_PY_WRITE, c.conv.out, first_y) || check_sizes(&c) ||
        read_deferred(&c.deferred, deferred, "deferred", c.x.batch, c.conv.in))
        return NULL;
    scp_threads_pin();
    struct space space;
    if (!open_space(&space, work, &c, 0)) {
        struct scp_py_call call;
        scp_py_begin(&call, progress);
        const enum scp_status status = scp_conv_forward(
            &c.y, &(struct scp_source){.map = c.x, .deferred = c.deferred}, PyArray_DATA(weights),
            bias, &c.conv, &(struct scp_run){space.floats, &call.control});
        if (!scp_py_end(&call, status, "conv_forward")) result = Py_NewRef(Py_None);
    }
    scp_threads_unpin();
    scp_free(space.owned);
    return result;
}

static PyObject *conv_backward_data(PyObject *module, PyObject *args, PyObject *keywords) {
    (void)module;
    static char *names[] = {"dz",        "accumulate", "dy",       "weights",
                            "geometry",  "backward",   "first_dz", "first_dy",
                            "workspace", "progress",   NULL};
    PyObject *dz, *dy, *weights_object, *geometry, *backward = Py_None;
    PyObject *work = Py_None, *progress = Py_None, *result = NULL;
    Py_ssize_t first_dz = 0, first_dy = 0;
    int accumulate;
    struct conv_call c;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OpOOO|OnnOO:conv_backward_data", names, &dz,
                                     &accumulate, &dy, &weights_object, &geometry, &backward,
                                     &first_dz, &first_dy, &work, &progress))
        return NULL;
    PyArrayObject *weights = scp_py_array(weights_object, "weights", NPY_FLOAT32, 4, SCP_PY_READ);
    if (!weights || read_conv(&c.conv, weights, geometry) || scp_py_progress(progress) ||
        read_map(&c.x, dz, "dz", SCP_PY_WRITE, c.conv.in, first_dz) ||
        read_map(&c.y, dy, "dy", SCP_PY_READ, c.conv.out, first_dy) || check_sizes(&c) ||
        read_backward(&c.backward, backward, &c.y))
        return NULL;
    scp_threads_pin();
    struct space space;
    if (!open_space(&space, work, &c, 1)) {
        struct scp_py_call call;
        scp_py_begin(&call, progress);
        const enum scp_status status = scp_conv_backward_data(
            &c.x, accumulate, &(struct scp_source){.map = c.y, .backward = c.backward},
            PyArray_DATA(weights), &c.conv, &(struct scp_run){space.floats, &call.control});
        if (!scp_py_end(&call, status, "conv_backward_data")) result = Py_NewRef(Py_None);
    }
    scp_threads_unpin();
    scp_free(space.owned);
    return result;
}

static PyObject *conv_backward_weights(PyObject *module, PyObject *args, PyObject *keywords) {
    (void)module;
    static char *names[] = {"weight_grads", "bias_grads", "x",        "dy",
                            "geometry",     "deferred",   "backward", "first_x",
                            "first_dy",     "workspace",  "progress", NULL};
    PyObject *grads_object, *bias_object, *x, *dy, *geometry;
    PyObject *deferred = Py_None, *backward = Py_None, *work = Py_None, *progress = Py_None,
             *result = NULL;
    Py_ssize_t first_x = 0, first_dy = 0;
    struct conv_call c;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOOO|OOnnOO:conv_backward_weights", names,
                                     &grads_object, &bias_object, &x, &dy, &geometry, &deferred,
                                     &backward, &first_x, &first_dy, &work, &progress))
        return NULL;
    PyArrayObject *grads = scp_py_array(grads_object, "weight_grads", NPY_FLOAT32, 4, SCP_PY_WRITE);
    if (!grads || read_conv(&c.conv, grads, geometry) || scp_py_progress(progress)) return NULL;
    float *bias = NULL;
    if (bias_object != Py_None) {
        PyArrayObject *a = scp_py_array(bias_object, "bias_grads", NPY_FLOAT32, 1, SCP_PY_WRITE);
        if (!a || scp_py_length(a, "bias_grads", 0, (npy_intp)c.conv.out)) return NULL;
        bias = PyArray_DATA(a);
    }
    if (read_map(&c.x, x, "x", SCP_PY_READ, c.conv.in, first_x) ||
        read_map(&c.y, dy, "dy", SCP_PY_READ, c.conv.out, first_dy) || check_sizes(&c) ||
        read_deferred(&c.deferred, deferred, "deferred", c.x.batch, c.conv.in) ||
        read_backward(&c.backward, backward, &c.y))
        return NULL;
    scp_threads_pin();
    struct space space;
    if (!open_space(&space, work, &c, 1)) {
        struct scp_py_call call;
        scp_py_begin(&call, progress);
        const enum scp_status status = scp_conv_backward_weights(
            PyArray_DATA(grads), bias, &(struct scp_source){.map = c.x, .deferred = c.deferred},
            &(struct scp_source){.map = c.y, .backward = c.backward}, &c.conv,
            &(struct scp_run){space.floats, &call.control});
        if (!scp_py_end(&call, status, "conv_backward_weights")) result = Py_NewRef(Py_None);
    }
    scp_threads_unpin();
    scp_free(space.owned);
    return result;
}

#define METHOD(name, text)                                                                         \
    {#name, (PyCFunction)(void (*)(void))name, METH_VARARGS | METH_KEYWORDS, text}

PyMethodDef scp_testing_conv_methods[] = {
    METHOD(conv_workspace,
           "conv_workspace(x, weights, geometry, train) -> int\n\nFloats that the calls need."),
    METHOD(conv_forward,
           "conv_forward(y, x, weights, bias, geometry, deferred=None, first_y=0, first_x=0, "
           "workspace=None, progress=None)\n\nConvolution of maps (csrc/nn/conv.h)."),
    METHOD(conv_backward_data,
           "conv_backward_data(dz, accumulate, dy, weights, geometry, backward=None, first_dz=0, "
           "first_dy=0, workspace=None, progress=None)\n\nIts gradient at the input."),
    METHOD(
        conv_backward_weights,
        "conv_backward_weights(weight_grads, bias_grads, x, dy, geometry, deferred=None, "
        "backward=None, first_x=0, first_dy=0, workspace=None, progress=None)\n\nIts gradients at "
        "weights and bias, added to what is there."),
    {NULL, NULL, 0, NULL},
};
