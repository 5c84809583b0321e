package pyerror

import "slices"

var (
	noModule     = lazily(`No module named '([A-Za-z0-9_.]{1,100})'`)
	noName       = lazily(`cannot import name '(\w{1,100})' from (?:partially initialized module )?'([A-Za-z0-9_.]{1,100})'`)
	noAttribute  = lazily(`^(?:partially initialized )?module '([A-Za-z0-9_.]{1,100})' has no attribute '(\w{1,100})'`)
	noMember     = lazily(`^(?:type object )?'(\w{1,100})' (?:object )?has no attribute '(\w{1,100})'`)
	noArgument   = lazily(`^(\w{1,100})\.?(\w{0,100})\(\) got an unexpected keyword argument '(\w{1,100})'`)
	flowerModule = lazily(`^flwr(?:\.|$)`)
)

// flowerClasses are classes of Flower that apps use by name.
var flowerClasses = []string{"ServerApp", "ClientApp", "ServerConfig", "ServerAppComponents", "Context", "Message", "Metadata",
	"RecordDict", "RecordSet", "ArrayRecord", "MetricRecord", "ConfigRecord",
	"ParametersRecord", "MetricsRecord", "ConfigsRecord", "Grid", "HttpGrid", "GrpcGrid", "InMemoryGrid", "Driver", "Result", "History",
	"FedAvg", "FedProx", "FedAdam", "FedAdagrad", "FedYogi", "FedAvgM", "FedMedian",
	"FedOpt", "FedTrimmedAvg", "FedXgbBagging", "FedXgbCyclic", "QFedAvg", "Krum", "MultiKrum", "Bulyan", "FedAvgAndroid",
	"FaultTolerantFedAvg", "DifferentialPrivacyServerSideFixedClipping",
	"DifferentialPrivacyClientSideFixedClipping", "DifferentialPrivacyServerSideAdaptiveClipping",
	"DifferentialPrivacyClientSideAdaptiveClipping", "SecAggWorkflow", "SecAggPlusWorkflow", "DefaultWorkflow", "FitRes",
	"FitIns", "EvaluateRes", "EvaluateIns", "SimpleClientManager", "NumPyClient", "Client"}

// FlowerPart returns the part of Flower that an exception misses, "flwr.server.strategy.DPFedAvg"; "" where it is about something else.
// An app that misses one was written for another version of Flower. A machine that has no Flower at all misses none.
func FlowerPart(e Exception) string {
	switch e.Kind {
	case "ModuleNotFoundError", "ImportError":
		if m := noName().FindStringSubmatch(e.Message); m != nil && flowerModule().MatchString(m[2]) {
			return m[2] + "." + m[1]
		}
		if m := noModule().FindStringSubmatch(e.Message); m != nil && flowerModule().MatchString(m[1]) && m[1] != "flwr" {
			return m[1]
		}
	case "AttributeError":
		if m := noAttribute().FindStringSubmatch(e.Message); m != nil && flowerModule().MatchString(m[1]) {
			return m[1] + "." + m[2]
		}
		if m := noMember().FindStringSubmatch(e.Message); m != nil && slices.Contains(flowerClasses, m[1]) {
			return m[1] + "." + m[2]
		}
	case "TypeError":
		if m := noArgument().FindStringSubmatch(e.Message); m != nil && slices.Contains(flowerClasses, m[1]) {
			name := m[1]
			if m[2] != "" && m[2] != "__init__" {
				name += "." + m[2]
			}
			return name + "(" + m[3] + "=…)"
		}
	}
	return ""
}

// MissingModule returns the module that could not be imported; "" where the exception is about something else.
func MissingModule(e Exception) string {
	if e.Kind != "ModuleNotFoundError" && e.Kind != "ImportError" {
		return ""
	}
	if m := noModule().FindStringSubmatch(e.Message); m != nil {
		return m[1]
	}
	return ""
}
