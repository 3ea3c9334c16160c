/* Loads a SavedModel as a server does, without Python, and sends it photographs.
 *
 *   session_run DIR IMAGE_OP BOXES_OP ANSWER_OP INDEX X Y WIDTH HEIGHT {FILE BOXES COLUMNS}...
 *
 * For each FILE: BOXES times the box, cut to or filled up with zeros to COLUMNS numbers. One line
 * each: "ok" and the answer's numbers, or "error" and the message; then it goes on with the next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static void stop_on_error(TF_Status *status) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s\n", TF_Message(status));
    exit(1);
  }
}

static TF_Output operation(TF_Graph *graph, const char *name, int index) {
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  if (!output.oper) {
    fprintf(stderr, "the graph has no operation %s\n", name);
    exit(1);
  }
  return output;
}

static TF_Tensor *file_tensor(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  size_t size = ftell(file);
  rewind(file);
  char *content = malloc(size + 1);
  size = fread(content, 1, size, file);
  fclose(file);
  int64_t dims[] = {1};
  TF_Tensor *tensor = TF_AllocateTensor(TF_STRING, dims, 1, sizeof(TF_TString));
  TF_TString *string = TF_TensorData(tensor);
  TF_TString_Init(string);
  TF_TString_Copy(string, content, size);
  free(content);
  return tensor;
}

static TF_Tensor *box_tensor(const float *box, int64_t boxes, int64_t columns) {
  int64_t dims[] = {boxes, columns};
  TF_Tensor *tensor = TF_AllocateTensor(TF_FLOAT, dims, 2, boxes * columns * sizeof(float));
  float *values = TF_TensorData(tensor);
  for (int64_t i = 0; i < boxes * columns; i++)
    values[i] = i % columns < 4 ? box[i % columns] : 0;
  return tensor;
}

static void print_answer(TF_Tensor *answer) {
  const float *values = TF_TensorData(answer);
  size_t count = TF_TensorByteSize(answer) / sizeof(float);
  printf("ok");
  for (size_t i = 0; i < count; i++) printf(" %.9g", values[i]);
  printf("\n");
}

static void print_error(const char *message) {
  printf("error ");
  for (; *message; message++) putchar(*message == '\n' ? ' ' : *message);
  printf("\n");
}

int main(int argc, char **argv) {
  if (argc < 13 || (argc - 10) % 3) {
    fprintf(stderr, "wrong number of arguments; the usage is in the source\n");
    return 1;
  }
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, argv[1], tags,
                                                     1, graph, NULL, status);
  stop_on_error(status);
  TF_Output inputs[] = {operation(graph, argv[2], 0), operation(graph, argv[3], 0)};
  TF_Output output = operation(graph, argv[4], atoi(argv[5]));
  float box[4];
  for (int i = 0; i < 4; i++) box[i] = atof(argv[6 + i]);
  for (int i = 10; i < argc; i += 3) {
    TF_Tensor *values[] = {file_tensor(argv[i]), box_tensor(box, atoi(argv[i + 1]), atoi(argv[i + 2]))};
    TF_Tensor *answer = NULL;
    TF_SessionRun(session, NULL, inputs, values, 2, &output, &answer, 1, NULL, 0, NULL, status);
    if (TF_GetCode(status) == TF_OK)
      print_answer(answer);
    else
      print_error(TF_Message(status));
    TF_DeleteTensor(values[0]);
    TF_DeleteTensor(values[1]);
    if (answer) TF_DeleteTensor(answer);
  }
  return 0;
}
