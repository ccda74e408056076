/* scp._core: threads, instruction sets, random numbers, and hooks for tests. */
#include "binding.h"

#include "scp/alloc.h"
#include "scp/cpu.h"
#include "scp/random.h"

static PyObject *threads(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromSize_t(scp_threads());
}

static PyObject *set_threads(PyObject *module, PyObject *argument) {
    const Py_ssize_t count = PyLong_AsSsize_t(argument);
    if (count == -1 && PyErr_Occurred()) return NULL;
    if (count < 0 || count > 256)
        return PyErr_Format(PyExc_ValueError, "count must be 0 (default) to 256, got %zd", count);
    enum scp_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = scp_threads_set((size_t)count);
    Py_END_ALLOW_THREADS;
    if (status != SCP_OK) return scp_py_raise(module, status, "set_threads");
    Py_RETURN_NONE;
}

static PyObject *isa(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyUnicode_FromString(scp_isa_name(scp_isa()));
}

static PyObject *isas(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < SCP_ISA_COUNT; i++) {
        if (!scp_isa_available((enum scp_isa)i)) continue;
        PyObject *name = PyUnicode_FromString(scp_isa_name((enum scp_isa)i));
        if (!name || PyList_Append(list, name)) Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

/* Also used at import for SCP_ISA; the message lists what would work. */
int scp_py_set_isa(PyObject *module, const char *name) {
    if (scp_isa_set(name) == SCP_OK) return 0;
    PyObject *list = isas(module, NULL);
    if (list)
        PyErr_Format(PyExc_ValueError, "instruction set '%s' is not available here; choose from %R",
                     name, list);
    Py_XDECREF(list);
    return -1;
}

static PyObject *set_isa(PyObject *module, PyObject *argument) {
    const char *name = NULL;
    if (argument != Py_None && !(name = PyUnicode_AsUTF8(argument))) return NULL;
    if (scp_py_set_isa(module, name)) return NULL;
    Py_RETURN_NONE;
}

static PyObject *random_words(PyObject *module, PyObject *args) {
    (void)module;
    unsigned long long seed, stream;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "KKn:random_words", &seed, &stream, &count)) return NULL;
    if (count < 0) return PyErr_Format(PyExc_ValueError, "count must be >= 0, got %zd", count);
    npy_intp shape = count;
    PyObject *array = PyArray_SimpleNew(1, &shape, NPY_UINT32);
    if (!array) return NULL;
    uint32_t *words = PyArray_DATA((PyArrayObject *)array);
    struct scp_rng rng;
    scp_rng_init(&rng, seed, stream);
    for (Py_ssize_t i = 0; i < count; i++) words[i] = scp_rng_u32(&rng);
    return array;
}

static PyObject *random_subset(PyObject *module, PyObject *args) {
    (void)module;
    unsigned long long seed, stream;
    unsigned int m, n;
    if (!PyArg_ParseTuple(args, "KKII:random_subset", &seed, &stream, &m, &n)) return NULL;
    if (m > n) return PyErr_Format(PyExc_ValueError, "m must be <= n, got %u > %u", m, n);
    npy_intp shape = m;
    PyObject *array = PyArray_SimpleNew(1, &shape, NPY_UINT32);
    if (!array) return NULL;
    struct scp_rng rng;
    scp_rng_init(&rng, seed, stream);
    scp_rng_subset(&rng, PyArray_DATA((PyArrayObject *)array), m, n);
    return array;
}

static PyObject *alloc_state(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return Py_BuildValue("nn", (Py_ssize_t)scp_alloc_outstanding(), (Py_ssize_t)scp_alloc_peak());
}

static PyObject *alloc_fail_at(PyObject *module, PyObject *argument) {
    (void)module;
    const unsigned long long n = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred()) return NULL;
    scp_alloc_fail_at(n);
    Py_RETURN_NONE;
}

PyMethodDef scp_py_base_methods[] = {
    {"threads", threads, METH_NOARGS, "threads() -> int\n\nThreads a call may use."},
    {"set_threads", set_threads, METH_O,
     "set_threads(count)\n\nChange the number of threads (0: the default)."},
    {"isa", isa, METH_NOARGS, "isa() -> str\n\nThe instruction set in use."},
    {"isas", isas, METH_NOARGS,
     "isas() -> list[str]\n\nThe instruction sets this machine can run."},
    {"set_isa", set_isa, METH_O, "set_isa(name)\n\nForce an instruction set; None: the best."},
    {"random_words", random_words, METH_VARARGS,
     "random_words(seed, stream, count) -> uint32[count]\n\nPhilox4x32-10 (scp/random.h)."},
    {"random_subset", random_subset, METH_VARARGS,
     "random_subset(seed, stream, m, n) -> uint32[m]\n\nm distinct numbers below n, ascending."},
    {"alloc_state", alloc_state, METH_NOARGS,
     "alloc_state() -> (outstanding, peak)\n\nBytes the core holds now and held at most."},
    {"alloc_fail_at", alloc_fail_at, METH_O,
     "alloc_fail_at(n)\n\nTest hook: the n-th allocation from now fails (0: off)."},
    {NULL, NULL, 0, NULL},
};
