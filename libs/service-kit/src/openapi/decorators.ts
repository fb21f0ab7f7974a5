/**
 * The decorators of @nestjs/swagger, without loading it: its 500 modules would cost every start a tenth of the processor time and 17 MB, for a document
 * that most services never show. These keep their arguments, and {@link loadSwagger} applies them.
 */
import type * as swagger from '@nestjs/swagger';

type Swagger = typeof swagger;
type Factory = (...args: never[]) => ClassDecorator | MethodDecorator | PropertyDecorator;
type FactoryName = { [Name in keyof Swagger]: Swagger[Name] extends Factory ? Name : never }[keyof Swagger];

const kept: ((library: Swagger) => void)[] = [];

/** Loads Swagger and applies the decorators, in the order in which they stand in the code. */
export async function loadSwagger(): Promise<Swagger> {
  const library = await import('@nestjs/swagger');
  for (const apply of kept.splice(0)) apply(library);
  return library;
}

function late<Name extends FactoryName>(name: Name): Swagger[Name] {
  const factory =
    (...args: unknown[]) =>
    (...target: unknown[]): void => {
      kept.push((library) => (library[name] as (...args: unknown[]) => (...target: unknown[]) => unknown)(...args)(...target));
    };
  return factory as unknown as Swagger[Name];
}

export const ApiAcceptedResponse = late('ApiAcceptedResponse');
export const ApiBadRequestResponse = late('ApiBadRequestResponse');
export const ApiBearerAuth = late('ApiBearerAuth');
export const ApiBody = late('ApiBody');
export const ApiExtraModels = late('ApiExtraModels');
export const ApiInternalServerErrorResponse = late('ApiInternalServerErrorResponse');
export const ApiNotFoundResponse = late('ApiNotFoundResponse');
export const ApiNotImplementedResponse = late('ApiNotImplementedResponse');
export const ApiOkResponse = late('ApiOkResponse');
export const ApiOperation = late('ApiOperation');
export const ApiParam = late('ApiParam');
export const ApiProperty = late('ApiProperty');
export const ApiPropertyOptional = late('ApiPropertyOptional');
export const ApiQuery = late('ApiQuery');
export const ApiResponse = late('ApiResponse');
export const ApiServiceUnavailableResponse = late('ApiServiceUnavailableResponse');
export const ApiTags = late('ApiTags');
export const ApiUnauthorizedResponse = late('ApiUnauthorizedResponse');
