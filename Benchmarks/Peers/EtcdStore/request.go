package main

import "errors"

// A transaction as decoding a request's bytes leaves it. As in etcd it exists twice, decoded from what the client sent and from
// the replicated log, with its own copies; the second is the one the store keeps.

const mostOperations = 128

var (
	errDuplicate = errors.New("a transaction writes the same key twice")
	errEmptyKey  = errors.New("a key is empty")
	errTooMany   = errors.New("a transaction has too many operations")
)

type request struct {
	id              int64
	compareKey      []byte // nil when nothing is compared
	compareModified int64
	operations      []*operation
}

type operation struct {
	isDelete   bool
	lease      int64
	key, value []byte
	// Filled by the store before it commits.
	index         *keyIndex
	before, after *keyValue
	buffered      bufferedPair
}

func decodeRequest(frame []byte) (*request, error) {
	decoded := &request{}
	reader := wireReader{rest: frame}
	for {
		more, err := reader.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		switch reader.field {
		case 1:
			err = decoded.decodeCompare(reader.content)
		case 2:
			var each *operation
			each, err = decodeOperation(reader.content)
			decoded.operations = append(decoded.operations, each)
		}
		if err != nil {
			return nil, err
		}
	}
	if count := len(decoded.operations); count < 1 || count > mostOperations {
		return nil, errTooMany
	}
	return decoded, nil
}

func (decoded *request) decodeCompare(content []byte) error {
	reader := wireReader{rest: content}
	for {
		more, err := reader.next()
		if err != nil || !more {
			return err
		}
		switch reader.field {
		case 3:
			decoded.compareKey = clone(reader.content)
		case 6:
			decoded.compareModified = reader.number
		}
	}
}

func decodeOperation(content []byte) (*operation, error) {
	outer := wireReader{rest: content}
	if more, err := outer.next(); err != nil || !more {
		return nil, errEmptyKey
	}
	decoded := &operation{isDelete: outer.field == 3}
	reader := wireReader{rest: outer.content}
	for {
		more, err := reader.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		switch reader.field {
		case 1:
			decoded.key = clone(reader.content)
		case 2:
			decoded.value = clone(reader.content)
		case 3:
			decoded.lease = reader.number
		}
	}
	if len(decoded.key) == 0 {
		return nil, errEmptyKey
	}
	return decoded, nil
}

// raftData is the data of a log entry for a transaction.
func raftData(id int64, frame []byte) []byte {
	writer := newWireWriter(integerField(id) + bytesField(len(frame)))
	writer.integer(1, id)
	writer.bytes(6, frame)
	return writer.buffer
}

func decodeEntry(data []byte) (*request, error) {
	reader := wireReader{rest: data}
	id := int64(0)
	for {
		more, err := reader.next()
		if err != nil || !more {
			return nil, errMalformed
		}
		switch reader.field {
		case 1:
			id = reader.number
		case 6:
			decoded, err := decodeRequest(reader.content)
			if err == nil {
				decoded.id = id
			}
			return decoded, err
		}
	}
}

func (decoded *request) checkKeys() error {
	for place, each := range decoded.operations {
		for _, other := range decoded.operations[:place] {
			if string(each.key) == string(other.key) {
				return errDuplicate
			}
		}
	}
	return nil
}

func clone(content []byte) []byte { return append(make([]byte, 0, len(content)), content...) }

// draft of a write, before it is encoded.
type draft struct {
	isDelete bool
	key      []byte
	seed     uint64
	count    int
	lease    int64
}

func (each draft) messageBytes() int {
	size := bytesField(len(each.key)) + integerField(each.lease)
	if each.count > 0 {
		size += bytesField(each.count)
	}
	return size
}

// requestBuilder collects a transaction and encodes it. One serves all requests of a client.
type requestBuilder struct {
	drafts          []draft
	keys            []byte // their keys, end to end
	compareKey      []byte
	compareModified int64
	values          [][]byte // where the value of each operation lies in the last frame
}

func (builder *requestBuilder) begin() {
	builder.drafts, builder.keys, builder.compareKey = builder.drafts[:0], builder.keys[:0], nil
}

// keep a key until the next begin.
func (builder *requestBuilder) keep(key []byte) []byte {
	builder.keys = append(builder.keys, key...)
	return builder.keys[len(builder.keys)-len(key):]
}

func (builder *requestBuilder) compare(key []byte, modified int64) {
	builder.compareKey, builder.compareModified = builder.keep(key), modified
}

func (builder *requestBuilder) put(key []byte, seed uint64, count int, lease int64) {
	builder.drafts = append(builder.drafts, draft{key: builder.keep(key), seed: seed, count: count, lease: lease})
}

func (builder *requestBuilder) delete(key []byte) {
	builder.drafts = append(builder.drafts, draft{isDelete: true, key: builder.keep(key)})
}

func (builder *requestBuilder) frame() []byte {
	size, compareBytes := 0, 0
	if builder.compareKey != nil {
		compareBytes = bytesField(len(builder.compareKey)) + integerField(builder.compareModified)
		size += bytesField(compareBytes) + bytesField(bytesField(bytesField(len(builder.compareKey))))
	}
	for _, each := range builder.drafts {
		size += bytesField(bytesField(each.messageBytes()))
	}
	writer := newWireWriter(size)
	if builder.compareKey != nil {
		writer.nested(1, compareBytes)
		writer.bytes(3, builder.compareKey)
		writer.integer(6, builder.compareModified)
	}
	builder.values = builder.values[:0]
	for _, each := range builder.drafts {
		builder.write(each, &writer)
	}
	if builder.compareKey != nil {
		writer.nested(3, bytesField(bytesField(len(builder.compareKey))))
		writer.nested(1, bytesField(len(builder.compareKey)))
		writer.bytes(1, builder.compareKey)
	}
	return writer.buffer
}

func (builder *requestBuilder) write(each draft, writer *wireWriter) {
	writer.nested(2, bytesField(each.messageBytes()))
	field := uint64(2)
	if each.isDelete {
		field = 3
	}
	writer.nested(field, each.messageBytes())
	writer.bytes(1, each.key)
	var value []byte
	if each.count > 0 {
		value = writer.open(2, each.count)
		fillGenerated(value, each.seed)
	}
	builder.values = append(builder.values, value)
	writer.integer(3, each.lease)
}
