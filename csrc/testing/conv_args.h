/* Arguments of csrc/testing/conv.c, one by one. */
#ifndef SCP_TESTING_CONV_ARGS_H
#define SCP_TESTING_CONV_ARGS_H

#include "../python/args.h"

#define SCP_PY_READ 0
#define SCP_PY_WRITE 1

PyArrayObject *scp_py_array(PyObject *object, const char *name, int dtype, int ndim, int access);
int scp_py_length(PyArrayObject *array, const char *name, int axis, npy_intp expected);
int scp_py_progress(PyObject *progress);
void scp_py_begin(struct scp_py_call *call, PyObject *progress);
int scp_py_end(struct scp_py_call *call, enum scp_status status, const char *where);

#endif
