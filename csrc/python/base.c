/* scp._core: threads, instruction sets, random numbers, and hooks for tests. */
#include "binding.h"

#include <stdlib.h>
#include <time.h>

#include "scp/alloc.h"
#include "scp/cpu.h"
#include "scp/random.h"

static PyObject *threads(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromSize_t(scp_threads());
}

static PyObject *set_threads(PyObject *module, PyObject *argument) {
    uint64_t count;
    if (scp_py_count(argument, "count", 256, &count)) return NULL;
    enum scp_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = scp_threads_set((size_t)count);
    Py_END_ALLOW_THREADS;
    if (status != SCP_OK) {
        PyErr_SetString(PyExc_RuntimeError, "set_threads: not from inside a progress callback");
        return NULL;
    }
    (void)module;
    Py_RETURN_NONE;
}

static PyObject *isa(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyUnicode_FromString(scp_isa_name(scp_isa()));
}

static PyObject *isas(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < (int)SCP_ISA_COUNT; i++) {
        if (!scp_isa_available((enum scp_isa)i)) continue;
        PyObject *name = PyUnicode_FromString(scp_isa_name((enum scp_isa)i));
        if (!name || PyList_Append(list, name)) Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

static PyObject *set_isa(PyObject *module, PyObject *argument) {
    if (argument != Py_None && !PyUnicode_Check(argument))
        return PyErr_Format(PyExc_TypeError, "name must be a str or None, got %s",
                            Py_TYPE(argument)->tp_name);
    const char *name = argument == Py_None ? NULL : PyUnicode_AsUTF8(argument);
    if (argument != Py_None && !name) return NULL;
    if (scp_isa_set(name) == SCP_OK) Py_RETURN_NONE;
    PyObject *list = isas(module, NULL);
    if (list)
        PyErr_Format(PyExc_ValueError, "name must be one of %R on this machine, got %R", list,
                     argument);
    Py_XDECREF(list);
    return NULL;
}

/* At import. The message names the variable, what it holds and what would work. */
int scp_py_read_environment(PyObject *module) {
    size_t threads;
    if (scp_threads_wish(&threads) != SCP_OK) {
        PyErr_Format(PyExc_ImportError, "SCP_NUM_THREADS must be a number from 1 to 256, got '%s'",
                     getenv("SCP_NUM_THREADS"));
        return -1;
    }
    const char *name = getenv("SCP_ISA");
    if (!name || !*name || scp_isa_set(name) == SCP_OK) return 0;
    PyObject *list = isas(module, NULL);
    if (list)
        PyErr_Format(PyExc_ImportError, "SCP_ISA must be one of %R on this machine, got '%s'", list,
                     name);
    Py_XDECREF(list);
    return -1;
}

static PyObject *random_words(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *objects[3];
    uint64_t seed, stream, count;
    if (!PyArg_ParseTuple(args, "OOO:random_words", &objects[0], &objects[1], &objects[2]))
        return NULL;
    if (scp_py_count(objects[0], "seed", UINT64_MAX, &seed) ||
        scp_py_count(objects[1], "stream", UINT64_MAX, &stream) ||
        scp_py_count(objects[2], "count", PY_SSIZE_T_MAX / 4, &count))
        return NULL;
    npy_intp shape = (npy_intp)count;
    PyObject *array = PyArray_SimpleNew(1, &shape, NPY_UINT32);
    if (!array) return NULL;
    uint32_t *words = PyArray_DATA((PyArrayObject *)array);
    struct scp_rng rng;
    scp_rng_init(&rng, seed, stream);
    Py_BEGIN_ALLOW_THREADS;
    for (uint64_t i = 0; i < count; i++) words[i] = scp_rng_u32(&rng);
    Py_END_ALLOW_THREADS;
    return array;
}

static PyObject *random_subset(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *objects[4];
    uint64_t seed, stream, m, n;
    if (!PyArg_ParseTuple(args, "OOOO:random_subset", &objects[0], &objects[1], &objects[2],
                          &objects[3]))
        return NULL;
    if (scp_py_count(objects[0], "seed", UINT64_MAX, &seed) ||
        scp_py_count(objects[1], "stream", UINT64_MAX, &stream) ||
        scp_py_count(objects[3], "n", UINT32_MAX, &n) || scp_py_count(objects[2], "m", n, &m))
        return NULL;
    npy_intp shape = (npy_intp)m;
    PyObject *array = PyArray_SimpleNew(1, &shape, NPY_UINT32);
    if (!array) return NULL;
    uint32_t *words = PyArray_DATA((PyArrayObject *)array);
    struct scp_rng rng;
    scp_rng_init(&rng, seed, stream);
    Py_BEGIN_ALLOW_THREADS;
    scp_rng_subset(&rng, words, (uint32_t)m, (uint32_t)n);
    Py_END_ALLOW_THREADS;
    return array;
}

static PyObject *alloc_state(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return Py_BuildValue("nn", (Py_ssize_t)scp_alloc_outstanding(), (Py_ssize_t)scp_alloc_peak());
}

static PyObject *alloc_fail_at(PyObject *module, PyObject *argument) {
    (void)module;
    uint64_t n;
    if (scp_py_count(argument, "n", UINT64_MAX, &n)) return NULL;
    scp_alloc_fail_at(n);
    Py_RETURN_NONE;
}

/* A stand-in for long work: what every other function owes to the frame and the pool is tested on
 * this one. */
static enum scp_status probe_task(void *context, size_t task, size_t worker) {
    const struct timespec *wait = context;
    (void)task, (void)worker;
    nanosleep(wait, NULL);
    return SCP_OK;
}

static PyObject *pool_probe(PyObject *module, PyObject *args, PyObject *keywords) {
    static char *names[] = {"tasks", "microseconds", "progress", NULL};
    PyObject *objects[2], *progress = Py_None;
    uint64_t tasks, microseconds;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|O:pool_probe", names, &objects[0],
                                     &objects[1], &progress))
        return NULL;
    if (scp_py_count(objects[0], "tasks", UINT32_MAX, &tasks) ||
        scp_py_count(objects[1], "microseconds", 1000000, &microseconds) ||
        scp_py_progress(progress))
        return NULL;
    struct timespec wait = {.tv_sec = (time_t)(microseconds / 1000000),
                            .tv_nsec = (long)(microseconds % 1000000) * 1000};
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    enum scp_status status = scp_parallel((size_t)tasks, probe_task, &wait, &call.control);
    if (scp_py_end(&call, module, status, "pool_probe")) return NULL;
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
    {"pool_probe", (PyCFunction)(void (*)(void))pool_probe, METH_VARARGS | METH_KEYWORDS,
     "pool_probe(tasks, microseconds, progress=None)\n\nTest hook: tasks that wait so long each."},
    {NULL, NULL, 0, NULL},
};
