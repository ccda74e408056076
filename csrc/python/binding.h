/* What every file of the binding shares: argument checks that name the argument, one exception
 * table, and the frame around a core call.
 *
 *     PyArrayObject *a = scp_py_array(object, "values", NPY_FLOAT32, 2, SCP_PY_READ);
 *     if (!a) return NULL;
 *     struct scp_py_call call;
 *     scp_py_begin(&call, progress);                 // the GIL is released here
 *     enum scp_status status = scp_select_...(..., &call.control);
 *     if (scp_py_end(&call, module, status, "select")) return NULL;   // and taken again
 *
 * Between begin and end no Python object may be touched. Python (scp/) converts; this layer only
 * checks: a wrong dtype, order or shape is an error, never a silent copy. */
#ifndef SCP_PYTHON_BINDING_H
#define SCP_PYTHON_BINDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL scp_core_array_api
#ifndef SCP_PY_MAIN
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <stdint.h>

#include "scp/status.h"
#include "scp/threads.h"

#define SCP_PY_TYPES 8

struct scp_py_state {
    PyObject *infeasible;              /* scp.InfeasibleError, a ValueError */
    PyTypeObject *types[SCP_PY_TYPES]; /* of objects.c, in its order */
};

#define SCP_PY_READ 0
#define SCP_PY_WRITE 1

/* `object` as a C-contiguous, aligned array of that dtype and number of dimensions (borrowed), or
 * NULL with an exception that names the argument. */
PyArrayObject *scp_py_array(PyObject *object, const char *name, int dtype, int ndim, int access);

/* 0 when axis has that length; else -1 with ValueError. */
int scp_py_length(PyArrayObject *array, const char *name, int axis, npy_intp expected);

/* `object`, an int (or what has __index__) from min to max, in *out (-1: UINT64_MAX): 0; else -1
 * with an exception that names the argument. */
int scp_py_integer(PyObject *object, const char *name, int64_t min, uint64_t max, uint64_t *out);
int scp_py_count(PyObject *object, const char *name, uint64_t max, uint64_t *out); /* from 0 */

/* Sets the exception of a status. Returns NULL. */
PyObject *scp_py_raise(PyObject *module, enum scp_status status, const char *where);

/* The frame of a core call. `progress`: None, or a callable(done, total) called now and then. What
 * it raises, or a signal handler raises, ends the call. The number of threads is pinned meanwhile
 * (scp/threads.h). */
struct scp_py_call {
    struct scp_control control;
    struct scp_error error;
    PyThreadState *thread;
    PyObject *progress;
    double next_poll;
    int stopped; /* an exception is set */
};
int scp_py_progress(PyObject *progress); /* 0 when it is None or callable; else -1 and TypeError */
void scp_py_begin(struct scp_py_call *call, PyObject *progress);
int scp_py_end(struct scp_py_call *call, PyObject *module, enum scp_status status,
               const char *where);

/* The graph in a capsule of graph_create (borrowed), or NULL with an exception. */
struct scp_graph;
const struct scp_graph *scp_py_graph(PyObject *object, const char *name);

/* Function tables of the topic files, each ended by a zero entry. */
extern PyMethodDef scp_py_base_methods[];
extern PyMethodDef scp_py_surf_methods[];
extern PyMethodDef scp_py_select_methods[];
extern PyMethodDef scp_py_nn_methods[];
extern PyMethodDef scp_py_conv_methods[];
extern PyMethodDef scp_py_cuda_methods[];

#endif
