import com.google.api.gax.core.NoCredentialsProvider;
import com.google.api.gax.grpc.InstantiatingGrpcChannelProvider;
import com.google.cloud.NoCredentials;
import com.google.cloud.bigquery.BigQuery;
import com.google.cloud.bigquery.BigQueryOptions;
import com.google.cloud.bigquery.FieldValueList;
import com.google.cloud.bigquery.InsertAllRequest;
import com.google.cloud.bigquery.InsertAllResponse;
import com.google.cloud.bigquery.QueryJobConfiguration;
import com.google.cloud.bigquery.QueryParameterValue;
import com.google.cloud.bigquery.TableId;
import com.google.cloud.bigquery.storage.v1.AppendRowsResponse;
import com.google.cloud.bigquery.storage.v1.BigQueryWriteClient;
import com.google.cloud.bigquery.storage.v1.BigQueryWriteSettings;
import com.google.cloud.bigquery.storage.v1.Exceptions.OffsetAlreadyExists;
import com.google.cloud.bigquery.storage.v1.Exceptions.OffsetOutOfRange;
import com.google.cloud.bigquery.storage.v1.JsonStreamWriter;
import com.google.cloud.bigquery.storage.v1.TableName;
import com.google.cloud.bigquery.storage.v1.WriteStream;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.json.JSONArray;
import org.json.JSONObject;

/** What applications do with Google's Java clients; prints a line for each answer. */
public final class Habits {
  public static void main(String[] arguments) throws Exception {
    String rest = arguments[0], storage = arguments[1], dataset = arguments[2];
    query(rest, dataset);
    try (BigQueryWriteClient client = writeClient(storage)) {
      appendToTheDefaultStream(client, TableName.of("local", dataset, "appended"));
      appendAtOffsets(client, TableName.of("local", dataset, "committed"));
    }
    System.exit(0); // the clients' own threads would keep the process for a minute
  }

  private static void query(String rest, String dataset) throws Exception {
    BigQuery bigquery =
        BigQueryOptions.newBuilder()
            .setHost(rest)
            .setProjectId("local")
            .setCredentials(NoCredentials.getInstance())
            .build()
            .getService();
    QueryJobConfiguration sum =
        QueryJobConfiguration.newBuilder("SELECT @a + 1 AS n, TIMESTAMP '2024-01-01' AS at")
            .addNamedParameter("a", QueryParameterValue.int64(41L))
            .build();
    for (FieldValueList row : bigquery.query(sum).iterateAll()) {
      say("query " + row.get("n").getLongValue() + " " + row.get("at").getTimestampValue());
    }
    TableId table = TableId.of(dataset, "inserted");
    for (int time = 0; time < 2; time++) {
      InsertAllResponse answer =
          bigquery.insertAll(
              InsertAllRequest.newBuilder(table)
                  .addRow("first", row("a", 1).toMap())
                  .addRow("second", row("b", 2).toMap())
                  .build());
      say("insertAll " + answer.getInsertErrors());
    }
    InsertAllResponse answer =
        bigquery.insertAll(
            InsertAllRequest.newBuilder(table).addRow("third", Map.of("N", "no number")).build());
    say("insertAll bad " + answer.getInsertErrors().get(0L).get(0).getReason());
  }

  private static BigQueryWriteClient writeClient(String storage) throws Exception {
    return BigQueryWriteClient.create(
        BigQueryWriteSettings.newBuilder()
            .setCredentialsProvider(NoCredentialsProvider.create())
            .setTransportChannelProvider(
                InstantiatingGrpcChannelProvider.newBuilder()
                    .setEndpoint(storage)
                    .setChannelConfigurator(channel -> channel.usePlaintext())
                    .build())
            .build());
  }

  private static void appendToTheDefaultStream(BigQueryWriteClient client, TableName table)
      throws Exception {
    try (JsonStreamWriter writer = JsonStreamWriter.newBuilder(table.toString(), client).build()) {
      for (int number = 0; number < 3; number++) {
        AppendRowsResponse answer = writer.append(rows("d" + number, number)).get();
        say("default " + answer.getAppendResult().hasOffset());
      }
    }
  }

  private static void appendAtOffsets(BigQueryWriteClient client, TableName table)
      throws Exception {
    WriteStream kind = WriteStream.newBuilder().setType(WriteStream.Type.COMMITTED).build();
    WriteStream stream = client.createWriteStream(table, kind);
    try (JsonStreamWriter writer =
        JsonStreamWriter.newBuilder(stream.getName(), stream.getTableSchema(), client).build()) {
      say("offset " + writer.append(rows("x", 1), 0).get().getAppendResult().getOffset().getValue());
      say("offset " + writer.append(rows("y", 2), 1).get().getAppendResult().getOffset().getValue());
      for (long offset : List.of(1L, 7L)) {
        try {
          writer.append(rows("z", 3), offset).get();
          say("offset " + offset + " taken");
        } catch (ExecutionException refusal) {
          say("offset " + refusal.getCause().getClass().getSimpleName() + expected(refusal));
        }
      }
      say("offset " + writer.append(rows("z", 3), 2).get().getAppendResult().getOffset().getValue());
    }
    say("finalized " + client.finalizeWriteStream(stream.getName()).getRowCount());
  }

  private static String expected(ExecutionException refusal) {
    return refusal.getCause() instanceof OffsetAlreadyExists exists
        ? " " + exists.getExpectedOffset()
        : " " + ((OffsetOutOfRange) refusal.getCause()).getExpectedOffset();
  }

  private static JSONArray rows(String name, int number) {
    return new JSONArray(List.of(row(name, number)));
  }

  private static JSONObject row(String name, int number) {
    return new JSONObject()
        .put("Name", name)
        .put("N", number)
        .put("At", "2024-01-01 00:00:00.5")
        .put("Price", "1.25")
        .put("Tags", new JSONArray(List.of("t", "u")))
        .put("Card", new JSONObject().put("Last4", "0007").put("Weight", 0.5));
  }

  private static void say(String line) {
    System.out.println(line);
  }
}
