// Writes maps, lists, numbers, booleans and strings as one line of JSON. Keys stay in the order of the map.

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

final class Json {
  private Json() {}

  static String text(Object value) {
    if (value instanceof Map<?, ?> map) {
      return map.entrySet().stream().map(each -> text(each.getKey()) + ":" + text(each.getValue()))
          .collect(Collectors.joining(",", "{", "}"));
    }
    if (value instanceof List<?> list) return list.stream().map(Json::text).collect(Collectors.joining(",", "[", "]"));
    if (value instanceof String string) return '"' + string.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    return String.valueOf(value);
  }
}
