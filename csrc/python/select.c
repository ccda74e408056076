/* scp._core: selection. A problem is prepared once (a capsule that keeps its arrays alive) and used
 * by any number of calls and threads. m == -1 means: as many as the budget allows. */
#include "binding.h"

#include <string.h>

#include "scp/alloc.h"
#include "scp/select.h"

#define CAPSULE "scp.select_problem"

struct holder {
    struct scp_select *problem;
    size_t n, q;
    PyObject *arrays[6]; /* values, weights, roles, groups, costs, distances; NULL: absent */
};

static void holder_free(struct holder *h) {
    for (int i = 0; i < 6; i++) Py_XDECREF(h->arrays[i]);
    scp_select_free(h->problem);
    scp_free(h);
}

static void capsule_free(PyObject *capsule) {
    holder_free(PyCapsule_GetPointer(capsule, CAPSULE));
}

static void *data_of(PyObject *array) {
    return array ? PyArray_DATA((PyArrayObject *)array) : NULL;
}

/* NULL or None stay NULL; 0 on success. */
static int keep(struct holder *h, int at, PyObject *object, const char *name, int dtype, int ndim,
                npy_intp length) {
    if (object == Py_None) return 0;
    PyArrayObject *array = scp_py_array(object, name, dtype, ndim, SCP_PY_READ);
    if (!array) return -1;
    for (int axis = 0; length >= 0 && axis < ndim; axis++)
        if (scp_py_length(array, name, axis, length)) return -1;
    h->arrays[at] = Py_NewRef(object);
    return 0;
}

static void raise_nonfinite(const struct holder *h) {
    const float *values = data_of(h->arrays[0]);
    const size_t at = scp_select_nonfinite(values, h->n * h->q);
    if (at == h->n * h->q) {
        PyErr_SetString(PyExc_ValueError, "roles and groups must be numbers in their ranges");
        return;
    }
    PyObject *value = PyFloat_FromDouble((double)values[at]);
    if (!value) return;
    PyErr_Format(PyExc_ValueError, "values[%zu, %zu] is %R; every value must be a finite number",
                 at / h->q, at % h->q, value);
    Py_DECREF(value);
}

static PyObject *select_problem(PyObject *module, PyObject *args) {
    PyObject *values, *weights, *roles, *groups, *costs, *distances;
    Py_ssize_t quota;
    struct scp_select_input in = {0};
    if (!PyArg_ParseTuple(args, "OOOOnOdOd:select_problem", &values, &weights, &roles, &groups,
                          &quota, &costs, &in.budget, &distances, &in.min_distance))
        return NULL;
    if (quota < 0) return PyErr_Format(PyExc_ValueError, "quota must be >= 0, got %zd", quota);
    PyArrayObject *matrix = scp_py_array(values, "values", NPY_FLOAT32, 2, SCP_PY_READ);
    if (!matrix) return NULL;
    const npy_intp n = PyArray_DIM(matrix, 0), q = PyArray_DIM(matrix, 1);
    if (n == 0 || q == 0)
        return PyErr_Format(PyExc_ValueError, "values must not be empty, got shape (%zd, %zd)",
                            (Py_ssize_t)n, (Py_ssize_t)q);
    struct holder *h = scp_calloc(1, sizeof *h);
    if (!h) return PyErr_NoMemory();
    h->n = in.n = (size_t)n;
    h->q = in.q = (size_t)q;
    in.quota = (size_t)quota;
    if (keep(h, 0, values, "values", NPY_FLOAT32, 2, -1) ||
        keep(h, 1, weights, "weights", NPY_FLOAT64, 1, q) ||
        keep(h, 2, roles, "roles", NPY_UINT8, 1, n) ||
        keep(h, 3, groups, "groups", NPY_UINT32, 1, n) ||
        keep(h, 4, costs, "costs", NPY_FLOAT64, 1, n) ||
        keep(h, 5, distances, "distances", NPY_FLOAT64, 2, n))
        goto fail;
    if (!h->arrays[1] || !h->arrays[2]) {
        PyErr_SetString(PyExc_TypeError, "weights and roles must be numpy arrays, got None");
        goto fail;
    }
    in.values = data_of(h->arrays[0]);
    in.weights = data_of(h->arrays[1]);
    in.roles = data_of(h->arrays[2]);
    in.groups = data_of(h->arrays[3]);
    in.costs = data_of(h->arrays[4]);
    in.distances = data_of(h->arrays[5]);
    enum scp_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = scp_select_create(&h->problem, &in);
    Py_END_ALLOW_THREADS;
    if (status == SCP_EINVAL)
        raise_nonfinite(h);
    else if (status != SCP_OK)
        scp_py_raise(module, status, "select_problem");
    if (status != SCP_OK) goto fail;
    PyObject *capsule = PyCapsule_New(h, CAPSULE, capsule_free);
    if (capsule) return capsule;
fail:
    holder_free(h);
    return NULL;
}

static int m_of(size_t *out, Py_ssize_t m, const struct holder *h) {
    if (m < -1 || (m >= 0 && (size_t)m > h->n)) {
        PyErr_Format(PyExc_ValueError, "m must be -1 or 0 to %zu, got %zd", h->n, m);
        return -1;
    }
    *out = m < 0 ? SCP_SELECT_ANY : (size_t)m;
    return 0;
}

/* Checks that a set holds different rows below n. */
static const uint32_t *set_of(size_t *count, PyObject *object, const struct holder *h) {
    PyArrayObject *array = scp_py_array(object, "set", NPY_UINT32, 1, SCP_PY_READ);
    if (!array) return NULL;
    const uint32_t *set = PyArray_DATA(array);
    *count = (size_t)PyArray_DIM(array, 0);
    uint8_t *seen = scp_calloc(h->n, 1);
    if (!seen) return (void *)PyErr_NoMemory();
    for (size_t i = 0; i < *count; i++) {
        if (set[i] < h->n && !seen[set[i]]) {
            seen[set[i]] = 1;
            continue;
        }
        PyErr_Format(PyExc_ValueError, "set must hold different numbers below %zu, got %u at %zu",
                     h->n, set[i], i);
        set = NULL;
        break;
    }
    scp_free(seen);
    return set;
}

/* A buffer of n row numbers that starts as set[count]. */
static uint32_t *rows_buffer(const struct holder *h, const uint32_t *set, size_t count) {
    uint32_t *rows = scp_alloc(h->n, sizeof *rows);
    if (!rows) return (void *)PyErr_NoMemory();
    if (count) memcpy(rows, set, count * sizeof *rows);
    return rows;
}

static PyObject *rows_array(const uint32_t *rows, size_t count) {
    npy_intp shape = (npy_intp)count;
    PyObject *array = PyArray_SimpleNew(1, &shape, NPY_UINT32);
    if (array && count) memcpy(PyArray_DATA((PyArrayObject *)array), rows, count * sizeof *rows);
    return array;
}

static struct holder *holder_of(PyObject *capsule) {
    return PyCapsule_GetPointer(capsule, CAPSULE);
}

static PyObject *select_score(PyObject *module, PyObject *args) {
    PyObject *capsule, *set_object;
    size_t count;
    (void)module;
    if (!PyArg_ParseTuple(args, "OO:select_score", &capsule, &set_object)) return NULL;
    struct holder *h = holder_of(capsule);
    const uint32_t *set = h ? set_of(&count, set_object, h) : NULL;
    if (!set) return NULL;
    double score;
    Py_BEGIN_ALLOW_THREADS;
    score = scp_select_score(h->problem, set, count);
    Py_END_ALLOW_THREADS;
    return PyFloat_FromDouble(score);
}

static PyObject *select_explain(PyObject *module, PyObject *args) {
    PyObject *capsule, *set_object, *result = NULL;
    size_t count;
    if (!PyArg_ParseTuple(args, "OO:select_explain", &capsule, &set_object)) return NULL;
    struct holder *h = holder_of(capsule);
    const uint32_t *set = h ? set_of(&count, set_object, h) : NULL;
    if (!set) return NULL;
    npy_intp m = (npy_intp)count, q = (npy_intp)h->q;
    PyObject *rows = rows_array(set, count);
    PyObject *gains = PyArray_SimpleNew(1, &m, NPY_FLOAT64);
    PyObject *cover = PyArray_SimpleNew(1, &q, NPY_INT64);
    PyObject *value = PyArray_SimpleNew(1, &q, NPY_FLOAT32);
    if (rows && gains && cover && value) {
        double score;
        enum scp_status status;
        Py_BEGIN_ALLOW_THREADS;
        status = scp_select_explain(&score, data_of(gains), data_of(cover), data_of(value),
                                    data_of(rows), count, h->problem);
        Py_END_ALLOW_THREADS;
        if (status != SCP_OK)
            scp_py_raise(module, status, "select_explain");
        else
            result = Py_BuildValue("OOdOO", rows, gains, score, cover, value);
    }
    Py_XDECREF(rows);
    Py_XDECREF(gains);
    Py_XDECREF(cover);
    Py_XDECREF(value);
    return result;
}

static PyObject *select_violates(PyObject *module, PyObject *args) {
    PyObject *capsule, *set_object;
    size_t count;
    (void)module;
    if (!PyArg_ParseTuple(args, "OO:select_violates", &capsule, &set_object)) return NULL;
    struct holder *h = holder_of(capsule);
    const uint32_t *set = h ? set_of(&count, set_object, h) : NULL;
    if (!set) return NULL;
    return PyBool_FromLong(scp_select_violates(h->problem, set, count));
}

static PyObject *select_attach(PyObject *module, PyObject *args) {
    PyObject *capsule;
    int device;
    if (!PyArg_ParseTuple(args, "Oi:select_attach", &capsule, &device)) return NULL;
    struct holder *h = holder_of(capsule);
    if (!h) return NULL;
    enum scp_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = scp_select_attach(h->problem, device);
    Py_END_ALLOW_THREADS;
    if (status != SCP_OK) return scp_py_raise(module, status, "select_attach");
    Py_RETURN_NONE;
}

static PyObject *select_greedy(PyObject *module, PyObject *args) {
    PyObject *capsule, *progress = Py_None;
    Py_ssize_t m_argument;
    size_t m, count = 0;
    if (!PyArg_ParseTuple(args, "On|O:select_greedy", &capsule, &m_argument, &progress))
        return NULL;
    struct holder *h = holder_of(capsule);
    if (!h || m_of(&m, m_argument, h)) return NULL;
    uint32_t *rows = rows_buffer(h, NULL, 0);
    if (!rows) return NULL;
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status = scp_select_greedy(rows, &count, h->problem, m, &call.control);
    PyObject *result = NULL;
    if (!scp_py_end(&call, module, status, "select_greedy")) result = rows_array(rows, count);
    scp_free(rows);
    return result;
}

static PyObject *select_swap(PyObject *module, PyObject *args) {
    PyObject *capsule, *set_object, *progress = Py_None;
    Py_ssize_t m_argument;
    size_t m, count, swaps = 0;
    if (!PyArg_ParseTuple(args, "OnO|O:select_swap", &capsule, &m_argument, &set_object, &progress))
        return NULL;
    struct holder *h = holder_of(capsule);
    if (!h || m_of(&m, m_argument, h)) return NULL;
    const uint32_t *set = set_of(&count, set_object, h);
    uint32_t *rows = set ? rows_buffer(h, set, count) : NULL;
    if (!rows) return NULL;
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status =
        scp_select_swap(rows, &count, &swaps, h->problem, m, &call.control);
    PyObject *result = NULL;
    if (!scp_py_end(&call, module, status, "select_swap"))
        result = Py_BuildValue("Nn", rows_array(rows, count), (Py_ssize_t)swaps);
    scp_free(rows);
    return result;
}

static PyObject *select_random(PyObject *module, PyObject *args) {
    PyObject *capsule, *seed_object, *points_object, *progress = Py_None, *result = NULL;
    Py_ssize_t m_argument, draws;
    uint64_t seed;
    size_t m, count = 0;
    if (!PyArg_ParseTuple(args, "OnOnO|O:select_random", &capsule, &m_argument, &seed_object,
                          &draws, &points_object, &progress))
        return NULL;
    struct holder *h = holder_of(capsule);
    if (!h || m_of(&m, m_argument, h)) return NULL;
    if (scp_py_count(seed_object, "seed", UINT64_MAX, &seed)) return NULL;
    if (draws < 1) return PyErr_Format(PyExc_ValueError, "draws must be >= 1, got %zd", draws);
    PyArrayObject *points = scp_py_array(points_object, "checkpoints", NPY_INT64, 1, SCP_PY_READ);
    if (!points) return NULL;
    npy_intp n_points = PyArray_DIM(points, 0);
    const int64_t *at = PyArray_DATA(points);
    for (npy_intp i = 0; i < n_points; i++)
        if (at[i] < 1 || at[i] > draws || (i > 0 && at[i] <= at[i - 1]))
            return PyErr_Format(PyExc_ValueError, "checkpoints must ascend within 1 to draws = %zd",
                                draws);
    PyObject *prefix = PyArray_SimpleNew(1, &n_points, NPY_FLOAT64);
    size_t *checkpoints = scp_alloc((size_t)n_points, sizeof *checkpoints);
    uint32_t *rows = rows_buffer(h, NULL, 0);
    if (prefix && checkpoints && rows) {
        for (npy_intp i = 0; i < n_points; i++) checkpoints[i] = (size_t)at[i];
        const struct scp_select_draws drawn = {seed, (size_t)draws, checkpoints, (size_t)n_points};
        struct scp_py_call call;
        scp_py_begin(&call, progress);
        const enum scp_status status =
            scp_select_random(rows, &count, data_of(prefix), h->problem, m, &drawn, &call.control);
        if (!scp_py_end(&call, module, status, "select_random"))
            result = Py_BuildValue("NO", rows_array(rows, count), prefix);
    } else if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
    Py_XDECREF(prefix);
    scp_free(checkpoints);
    scp_free(rows);
    return result;
}

/* The multipliers [q], or NULL with an exception. */
static float *lambda_of(PyObject *object, const struct holder *h, int access) {
    PyArrayObject *array = scp_py_array(object, "multipliers", NPY_FLOAT32, 1, access);
    if (!array || scp_py_length(array, "multipliers", 0, (npy_intp)h->q)) return NULL;
    return PyArray_DATA(array);
}

static PyObject *select_bound(PyObject *module, PyObject *args) {
    PyObject *capsule, *set_object, *lambda_object, *progress = Py_None;
    Py_ssize_t m_argument, iterations;
    struct scp_select_dual dual = {0};
    struct scp_select_incumbent incumbent;
    size_t m;
    if (!PyArg_ParseTuple(args, "OnOdnO|O:select_bound", &capsule, &m_argument, &set_object,
                          &incumbent.score, &iterations, &lambda_object, &progress))
        return NULL;
    struct holder *h = holder_of(capsule);
    if (!h || m_of(&m, m_argument, h)) return NULL;
    if (iterations < 0)
        return PyErr_Format(PyExc_ValueError, "iterations must be >= 0, got %zd", iterations);
    incumbent.set = set_of(&incumbent.count, set_object, h);
    dual.lambda = incumbent.set ? lambda_of(lambda_object, h, SCP_PY_WRITE) : NULL;
    if (!dual.lambda) return NULL;
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status =
        scp_select_bound(&dual, h->problem, m, &incumbent, (size_t)iterations, &call.control);
    if (scp_py_end(&call, module, status, "select_bound")) return NULL;
    return PyFloat_FromDouble(dual.bound);
}

static PyObject *proved(const uint32_t *rows, size_t count, const struct scp_select_proof *proof) {
    return Py_BuildValue("NddnO", rows_array(rows, count), proof->score, proof->bound,
                         (Py_ssize_t)proof->nodes, proof->proven ? Py_True : Py_False);
}

static PyObject *select_exact(PyObject *module, PyObject *args) {
    PyObject *capsule, *set_object, *lambda_object, *progress = Py_None, *result = NULL;
    Py_ssize_t m_argument, max_nodes;
    struct scp_select_dual dual;
    size_t m, count;
    if (!PyArg_ParseTuple(args, "OnOdOn|O:select_exact", &capsule, &m_argument, &set_object,
                          &dual.bound, &lambda_object, &max_nodes, &progress))
        return NULL;
    struct holder *h = holder_of(capsule);
    if (!h || m_of(&m, m_argument, h)) return NULL;
    if (max_nodes < 0)
        return PyErr_Format(PyExc_ValueError, "max_nodes must be >= 0, got %zd", max_nodes);
    const uint32_t *set = set_of(&count, set_object, h);
    dual.lambda = set ? lambda_of(lambda_object, h, SCP_PY_READ) : NULL;
    uint32_t *rows = dual.lambda ? rows_buffer(h, set, count) : NULL;
    if (!rows) return NULL;
    struct scp_select_proof proof = {0};
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status = scp_select_exact(rows, &count, &proof, h->problem, m, &dual,
                                                    (size_t)max_nodes, &call.control);
    if (!scp_py_end(&call, module, status, "select_exact")) result = proved(rows, count, &proof);
    scp_free(rows);
    return result;
}

static PyObject *select_enumerate(PyObject *module, PyObject *args) {
    PyObject *capsule, *set_object, *lambda_object, *progress = Py_None, *result = NULL;
    Py_ssize_t max_sets;
    size_t count;
    if (!PyArg_ParseTuple(args, "OOOn|O:select_enumerate", &capsule, &set_object, &lambda_object,
                          &max_sets, &progress))
        return NULL;
    struct holder *h = holder_of(capsule);
    if (!h) return NULL;
    if (max_sets < 0)
        return PyErr_Format(PyExc_ValueError, "max_sets must be >= 0, got %zd", max_sets);
    const uint32_t *set = set_of(&count, set_object, h);
    const float *lambda = set ? lambda_of(lambda_object, h, SCP_PY_READ) : NULL;
    uint32_t *rows = lambda ? rows_buffer(h, set, count) : NULL;
    if (!rows) return NULL;
    struct scp_select_proof proof = {0};
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status = scp_select_enumerate(rows, &count, &proof, h->problem, count,
                                                        lambda, (size_t)max_sets, &call.control);
    if (!scp_py_end(&call, module, status, "select_enumerate"))
        result = proved(rows, count, &proof);
    scp_free(rows);
    return result;
}

PyMethodDef scp_py_select_methods[] = {
    {"select_problem", select_problem, METH_VARARGS,
     "select_problem(values, weights, roles, groups, quota, costs, budget, distances, "
     "min_distance)\n\nPrepare a selection problem (scp/select.h)."},
    {"select_score", select_score, METH_VARARGS,
     "select_score(problem, set) -> float\n\nScore of a set of rows."},
    {"select_explain", select_explain, METH_VARARGS,
     "select_explain(problem, set) -> (set, gains, score, cover, cover_value)\n\n"
     "Pick order, gains, and who covers whom."},
    {"select_violates", select_violates, METH_VARARGS,
     "select_violates(problem, set) -> bool\n\nWhether a set breaks a rule."},
    {"select_greedy", select_greedy, METH_VARARGS,
     "select_greedy(problem, m, progress=None) -> set\n\nLazy greedy, in the order of the picks."},
    {"select_swap", select_swap, METH_VARARGS,
     "select_swap(problem, m, set, progress=None) -> (set, swaps)\n\nBest-improvement exchanges."},
    {"select_random", select_random, METH_VARARGS,
     "select_random(problem, m, seed, draws, checkpoints, progress=None) -> (set, prefix)\n\n"
     "The paper's random search."},
    {"select_bound", select_bound, METH_VARARGS,
     "select_bound(problem, m, set, score, iterations, multipliers, progress=None) -> float\n\n"
     "Lagrangian upper bound; multipliers[Q] are read (NaN: none) and replaced."},
    {"select_exact", select_exact, METH_VARARGS,
     "select_exact(problem, m, set, bound, multipliers, max_nodes, progress=None)"
     " -> (set, score, bound, nodes, proven)\n\nBranch and bound."},
    {"select_attach", select_attach, METH_VARARGS,
     "select_attach(problem, device)\n\nRun the problem's sums on a CUDA device from now on."},
    {"select_enumerate", select_enumerate, METH_VARARGS,
     "select_enumerate(problem, set, multipliers, max_sets, progress=None)\n"
     "    -> (set, score, bound, sets, proven)\n\n"
     "Score every set of that size that the multipliers do not exclude (scp/select.h)."},
    {NULL, NULL, 0, NULL},
};
