package main

import (
	"encoding/binary"
	"errors"
)

// The wire encoding of requests and responses: protobuf's, with etcd's field numbers. Messages are written into a buffer whose
// size was computed first, as generated code does.

const (
	wireVarint = 0
	wireBytes  = 2
)

var errMalformed = errors.New("the request is malformed")

// integerField is how many bytes a field with a varint takes: none for 0, which is not written.
func integerField(value int64) int {
	if value == 0 {
		return 0
	}
	return 1 + varintSize(uint64(value))
}

func bytesField(count int) int { return 1 + varintSize(uint64(count)) + count }

type wireWriter struct{ buffer []byte }

func newWireWriter(size int) wireWriter { return wireWriter{make([]byte, 0, size)} }

func (writer *wireWriter) integer(field uint64, value int64) {
	if value == 0 {
		return
	}
	writer.buffer = binary.AppendUvarint(append(writer.buffer, byte(field<<3|wireVarint)), uint64(value))
}

func (writer *wireWriter) nested(field uint64, count int) {
	writer.buffer = binary.AppendUvarint(append(writer.buffer, byte(field<<3|wireBytes)), uint64(count))
}

func (writer *wireWriter) bytes(field uint64, content []byte) {
	writer.nested(field, len(content))
	writer.buffer = append(writer.buffer, content...)
}

// open begins a field whose bytes the caller writes.
func (writer *wireWriter) open(field uint64, count int) []byte {
	writer.nested(field, count)
	end := len(writer.buffer) + count
	writer.buffer = writer.buffer[:end]
	return writer.buffer[end-count:]
}

type wireReader struct {
	rest    []byte
	field   uint64
	number  int64
	content []byte
}

func (reader *wireReader) next() (bool, error) {
	if len(reader.rest) == 0 {
		return false, nil
	}
	tag, err := reader.varint()
	if err != nil {
		return false, err
	}
	reader.field = tag >> 3
	value, err := reader.varint()
	switch {
	case err != nil:
		return false, err
	case tag&7 == wireVarint:
		reader.number = int64(value)
	case tag&7 == wireBytes && value <= uint64(len(reader.rest)):
		reader.content, reader.rest = reader.rest[:value], reader.rest[value:]
	default:
		return false, errMalformed
	}
	return true, nil
}

func (reader *wireReader) varint() (uint64, error) {
	value, count := binary.Uvarint(reader.rest)
	if count <= 0 {
		return 0, errMalformed
	}
	reader.rest = reader.rest[count:]
	return value, nil
}
